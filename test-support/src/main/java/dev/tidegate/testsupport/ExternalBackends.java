package dev.tidegate.testsupport;

import java.util.Map;

/** Backends that somebody else runs; where a variable is not set, the address that {@code ./tidegate backends} has. */
record ExternalBackends(String kafka, String redis, String postgres) implements Backends {

    static ExternalBackends of(Map<String, String> environment) {
        return new ExternalBackends(
                environment.getOrDefault("TIDEGATE_KAFKA", "127.0.0.1:9092"),
                environment.getOrDefault("TIDEGATE_REDIS", "redis://127.0.0.1:6379"),
                environment.getOrDefault("TIDEGATE_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres"));
    }
}
