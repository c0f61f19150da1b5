package dev.tidegate.backends;

import java.util.concurrent.CompletableFuture;

/** A backend that has been started and takes connections on loopback. */
public sealed interface Backend extends AutoCloseable
        permits EmbeddedKafka, KafkaProcess, EmbeddedRedis, EmbeddedPostgres {

    /** Which of the three. */
    BackendKind kind();

    /** The port it listens on, never 0. */
    int port();

    /** The process to send signals to: its own, or this JVM's for an embedded Kafka. */
    long pid();

    /** Completes, with a few words on how, once it has ended, asked to or not. */
    CompletableFuture<String> ended();

    /** Stops it and gives its part of the data folder back; waits at most {@link GuardedProcess#STOP_WITHIN}. Idempotent. */
    @Override
    void close();

    /** Where clients find it, in the form of its {@code TIDEGATE_…} variable. */
    default String address() {
        return kind().address(port());
    }
}
