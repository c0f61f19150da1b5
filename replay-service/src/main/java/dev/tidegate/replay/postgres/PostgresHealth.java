package dev.tidegate.replay.postgres;

import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.HealthIndicator;

/**
 * Whether PostgreSQL is there, as of the last work. No part of readiness: memory and Kafka are served without it. Asks nobody.
 */
public final class PostgresHealth implements HealthIndicator {
    private final Postgres postgres;

    public PostgresHealth(Postgres postgres) {
        this.postgres = postgres;
    }

    @Override
    public Health health() {
        if (!postgres.configured()) {
            return Health.up().withDetail("state", "none is configured").build();
        }
        String state = !postgres.prepared() ? "preparing the schema" : postgres.up() ? "answering" : "away";
        return (postgres.up() ? Health.up() : Health.down())
                .withDetail("state", state)
                .withDetail("server", postgres.address())
                .build();
    }
}
