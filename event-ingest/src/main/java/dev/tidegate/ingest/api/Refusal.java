package dev.tidegate.ingest.api;

/** Ends the reading of a request with this answer; no stack trace, since publishers choose how often it is made. */
final class Refusal extends RuntimeException {
    private final transient Problem problem;

    Refusal(Problem problem) {
        super(problem.detail(), null, false, false);
        this.problem = problem;
    }

    Problem problem() {
        return problem;
    }
}
