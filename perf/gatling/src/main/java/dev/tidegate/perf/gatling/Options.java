package dev.tidegate.perf.gatling;

import java.util.Locale;

/**
 * What a simulation reads from system properties; small by default, so that every simulation runs on a laptop in seconds.
 *
 * @param gateway host:port ({@code gatling.gateway})
 * @param ingest base URL ({@code gatling.ingest})
 * @param users virtual users that subscribe ({@code gatling.users})
 * @param channels number of channels, where there are many ({@code gatling.channels})
 * @param publishers virtual users that publish, each to channels of its own ({@code gatling.publishers})
 * @param rate events published per second over all channels ({@code gatling.rate})
 * @param ramp seconds over which users arrive ({@code gatling.ramp})
 * @param duration seconds of publishing ({@code gatling.duration})
 * @param drain seconds after publishing until everybody must be whole ({@code gatling.drain})
 * @param p99 milliseconds that the 99th percentile of a request may take ({@code gatling.p99}); a bound against decay, not a figure
 */
record Options(
        String gateway,
        String ingest,
        int users,
        int channels,
        int publishers,
        double rate,
        int ramp,
        int duration,
        int drain,
        int p99) {

    static Options of(int users, int channels) {
        return new Options(
                System.getProperty("gatling.gateway", "127.0.0.1:8080"),
                System.getProperty("gatling.ingest", "http://127.0.0.1:8081"),
                number("users", users, 1, 1_000_000),
                number("channels", channels, 1, 1_000_000),
                number("publishers", Math.min(4, channels), 1, 10_000),
                number("rate", 20, 1, 1_000_000),
                number("ramp", 5, 0, 3600),
                number("duration", 10, 1, 86_400),
                number("drain", 20, 1, 3600),
                number("p99", 2_000, 1, 600_000));
    }

    private static int number(String name, int fallback, int min, int max) {
        String value = System.getProperty("gatling." + name, Integer.toString(fallback));
        try {
            int v = Integer.parseInt(value);
            if (v >= min && v <= max) {
                return v;
            }
        } catch (NumberFormatException e) {
            // told below
        }
        throw new IllegalArgumentException(
                String.format(Locale.ROOT, "gatling.%s: %s (expected: %d to %d)", name, value, min, max));
    }
}
