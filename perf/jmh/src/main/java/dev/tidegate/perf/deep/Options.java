package dev.tidegate.perf.deep;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The command line of both runs.
 *
 * @param records of the topic
 * @param clients that come at once
 * @param postgres where the archive is, {@code postgresql://…}; null for no archive
 * @param postgresPid PostgreSQL's process, for its processor time; 0 for none
 * @param results folder, or {@code none}
 * @param service how a replay service is started; its own arguments follow
 */
record Options(
        String kafka,
        @Nullable String postgres,
        long postgresPid,
        long records,
        int clients,
        String name,
        String results,
        List<String> service) {
    /** A command line that says something else. The message is for whoever typed it. */
    static final class Wrong extends IllegalArgumentException {
        private static final long serialVersionUID = 1;

        Wrong(String message) {
            super(message);
        }
    }

    static Options parse(List<String> words, String name, long records) {
        String kafka = System.getenv().getOrDefault("TIDEGATE_KAFKA", "127.0.0.1:9092");
        String postgres =
                System.getenv().getOrDefault("TIDEGATE_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres");
        long postgresPid = 0;
        long clients = 1_000;
        String results = "perf/results";
        List<String> service = List.of();
        for (int i = 0; i < words.size(); i += 2) {
            String word = words.get(i);
            if (word.equals("--service")) {
                service = List.copyOf(words.subList(i + 1, words.size()));
                break;
            }
            if (i + 1 == words.size()) {
                throw new Wrong(word + ": nothing (expected: a value)");
            }
            String value = words.get(i + 1);
            switch (word) {
                case "--kafka" -> kafka = value;
                case "--postgres" -> postgres = value;
                case "--postgres-pid" -> postgresPid = number(word, value, 1, Integer.MAX_VALUE);
                case "--records" -> records = number(word, value, 10_000, 1_000_000_000);
                case "--clients" -> clients = number(word, value, 1, 1_000);
                case "--name" -> name = value;
                case "--results" -> results = value;
                default ->
                    throw new Wrong(
                            word
                                    + " (expected: --kafka, --postgres, --postgres-pid, --records, --clients, --name, --results)");
            }
        }
        if (service.isEmpty()) {
            throw new Wrong("--service: nothing (expected: the command that starts a replay service)");
        }
        return new Options(
                kafka,
                postgres.equals("none") ? null : postgres,
                postgresPid,
                records,
                (int) clients,
                name,
                results,
                service);
    }

    private static long number(String word, String value, long least, long most) {
        try {
            long n = Long.parseLong(value);
            if (n >= least && n <= most) {
                return n;
            }
        } catch (NumberFormatException e) {
            // told below
        }
        throw new Wrong(word + ": " + value + " (expected: " + least + " to " + most + ")");
    }
}
