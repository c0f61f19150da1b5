package dev.tidegate.it;

import dev.tidegate.testsupport.TidegateClient;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import tools.jackson.databind.JsonNode;

/** Waits for what a {@link TidegateClient} was answered. */
final class Answers {

    /** A bound for one answer on a busy machine, not a claim. */
    static final Duration WITHIN = Duration.ofMinutes(1);

    private Answers() {}

    /** The frame that answers; an {@link AssertionError} when it is an error or does not come. */
    static JsonNode answer(CompletableFuture<JsonNode> asked) {
        try {
            return asked.copy().orTimeout(WITHIN.toSeconds(), TimeUnit.SECONDS).join();
        } catch (CompletionException e) {
            throw new AssertionError("no good answer: " + e.getCause(), e);
        }
    }

    /** The code of the error that answers; an {@link AssertionError} when it is none or does not come. */
    static String refusal(CompletableFuture<JsonNode> asked) {
        try {
            JsonNode frame =
                    asked.copy().orTimeout(WITHIN.toSeconds(), TimeUnit.SECONDS).join();
            throw new AssertionError("expected an error, got " + frame);
        } catch (CompletionException e) {
            if (e.getCause() instanceof TidegateClient.AnsweredWithError error) {
                return error.code();
            }
            throw new AssertionError("no answer: " + e.getCause(), e);
        }
    }
}
