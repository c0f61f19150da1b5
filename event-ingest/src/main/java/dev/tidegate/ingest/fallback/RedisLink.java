package dev.tidegate.ingest.fallback;

import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.cluster.RedisClusterClient;
import io.lettuce.core.cluster.api.StatefulRedisClusterConnection;
import java.util.Locale;
import java.util.concurrent.CompletionStage;

/** A connection that copies are published on. Any thread; nothing blocks. */
sealed interface RedisLink {
    /** Publishes; completes with how many subscribers of that node got it. */
    CompletionStage<Long> publish(byte[] channel, byte[] message);

    /** Asks for a sign of life. */
    CompletionStage<String> ping();

    boolean isOpen();

    void close();

    /** What {@code INFO server} says of a server that needs sharded Pub/Sub. */
    static boolean wantsSharded(String info) {
        boolean cluster = false;
        int major = 0;
        for (String line : info.lines().toList()) {
            String l = line.strip().toLowerCase(Locale.ROOT);
            if (l.equals("redis_mode:cluster")) {
                cluster = true;
            } else if (l.startsWith("redis_version:")) {
                String version = l.substring("redis_version:".length());
                int dot = version.indexOf('.');
                major = parsed(dot < 0 ? version : version.substring(0, dot));
            }
        }
        return cluster && major >= 7;
    }

    private static int parsed(String number) {
        try {
            return Integer.parseInt(number);
        } catch (NumberFormatException e) {
            return 0; // not Redis' own numbering: the classic commands are everywhere
        }
    }

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
