package dev.tidegate.ingest.fallback;

import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.cluster.RedisClusterClient;
import io.lettuce.core.cluster.api.StatefulRedisClusterConnection;
import java.util.concurrent.CompletionStage;

/** A connection that copies are published on. Any thread; nothing blocks. */
sealed interface RedisLink {
    /** Publishes; completes with how many subscribers of that node got it. */
    CompletionStage<Long> publish(byte[] channel, byte[] message);

    /** Asks for a sign of life. */
    CompletionStage<String> ping();

    boolean isOpen();

    void close();

    /** {@code PUBLISH}: a single server, or a cluster older than 7, which copies the message to all its nodes. */
    record Classic(StatefulRedisConnection<byte[], byte[]> connection) implements RedisLink {
        @Override
        public CompletionStage<Long> publish(byte[] channel, byte[] message) {
            return connection.async().publish(channel, message);
        }

        @Override
        public CompletionStage<String> ping() {
            return connection.async().ping();
        }

        @Override
        public boolean isOpen() {
            return connection.isOpen();
        }

        @Override
        public void close() {
            var _ = connection.closeAsync();
        }
    }

    /** {@code SPUBLISH}: to the node that has the channel's slot, and its replicas. */
    record Sharded(RedisClusterClient client, StatefulRedisClusterConnection<byte[], byte[]> connection)
            implements RedisLink {
        @Override
        public CompletionStage<Long> publish(byte[] channel, byte[] message) {
            return connection.async().spublish(channel, message);
        }

        @Override
        public CompletionStage<String> ping() {
            return connection.async().ping();
        }

        @Override
        public boolean isOpen() {
            return connection.isOpen();
        }

        @Override
        public void close() {
            var _ = connection.closeAsync();
            var _ = client.shutdownAsync();
        }
    }
}
