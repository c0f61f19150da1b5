package dev.tidegate.ingest.admission;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.backends.Ports;
import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.RedisCluster;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Keys in a real Redis. */
@Timeout(360)
class RedisKeysTest {
    private static final Duration TTL = Duration.ofMinutes(10);

    /** Enough that each node of two has some. */
    private static final int KEYS = 40;

    private final SimpleMeterRegistry meters = new SimpleMeterRegistry();

    private RedisKeys keys(String url) {
        RedisKeys keys = new RedisKeys(url, Duration.ofSeconds(20), Duration.ofMillis(50), meters);
        keys.start();
        await().atMost(Duration.ofSeconds(60)).until(keys::available);
        return keys;
    }

    private static <T> T get(CompletionStage<T> stage) {
        return stage.toCompletableFuture().orTimeout(60, TimeUnit.SECONDS).join();
    }

    private void areRemembered(RedisKeys keys) {
        String run = Backends.unique("key");
        for (int i = 0; i < KEYS; i++) {
            String key = run + i;
            assertThat(get(keys.claim(key, "first", TTL))).isEmpty();
            assertThat(get(keys.claim(key, "second", TTL))).isEqualTo("first");
            get(keys.removeIf(key, "second"));
            assertThat(get(keys.read(key))).isEqualTo("first");
            get(keys.store(key, "answer", TTL));
            assertThat(get(keys.read(key))).isEqualTo("answer");
            get(keys.removeIf(key, "answer"));
            assertThat(get(keys.read(key))).isEmpty();
        }
        assertThat(meters.get("tidegate.ingest.redis.failures").counter().count())
                .isZero();
        assertThat(keys.available()).isTrue();
    }

    @Test
    @DisplayName("A single server")
    void single() {
        try (RedisKeys keys = keys(Backends.shared().redis())) {
            areRemembered(keys);
        }
    }

    @Test
    @DisplayName("A cluster: each key is at the node of its slot; a node that is not there is passed over")
    void cluster() {
        try (RedisCluster cluster = RedisCluster.start(2);
                RedisKeys keys = keys(cluster.url().replace("redis://", "redis://127.0.0.1:" + Ports.free() + ","))) {
            areRemembered(keys);
        }
    }
}
