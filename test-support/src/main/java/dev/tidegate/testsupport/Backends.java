package dev.tidegate.testsupport;

import java.util.Map;
import java.util.UUID;

/**
 * Kafka, Redis and PostgreSQL for tests. One set per JVM, started when first asked for, gone with the JVM; tests keep apart by names
 * ({@link #unique(String)}), not by servers.
 *
 * <p>{@code TIDEGATE_TEST_BACKENDS} says which: {@code embedded}, {@code testcontainers}, or {@code external} (those that {@code TIDEGATE_KAFKA},
 * {@code TIDEGATE_REDIS} and {@code TIDEGATE_POSTGRES} name). Without it: containers where a Docker engine answers, embedded ones otherwise.
 */
public sealed interface Backends permits EmbeddedBackends, ContainerBackends, ExternalBackends {

    /** This JVM's set; the first call starts it and says on standard output which it is. */
    static Backends shared() {
        return SharedBackends.get();
    }

    /** Bootstrap servers, e.g. {@code 127.0.0.1:21092}. */
    String kafka();

    /** E.g. {@code redis://127.0.0.1:21379}. */
    String redis();

    /** E.g. {@code postgresql://postgres@127.0.0.1:21432/postgres}. */
    String postgres();

    /** The {@code TIDEGATE_…} variables by which a service finds them: for a process' environment, or as Spring properties. */
    default Map<String, String> environment() {
        return Map.of("TIDEGATE_KAFKA", kafka(), "TIDEGATE_REDIS", redis(), "TIDEGATE_POSTGRES", postgres());
    }

    /** A name that no other test of this or an earlier run uses, e.g. for a topic. */
    static String unique(String prefix) {
        return prefix + "-" + UUID.randomUUID().toString().substring(0, 8);
    }
}
