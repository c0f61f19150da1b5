package dev.tidegate.gateway.presence;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.backends.Ports;
import dev.tidegate.gateway.config.PresenceSettings;
import dev.tidegate.gateway.presence.PresenceStore.Renewal;
import dev.tidegate.gateway.presence.PresenceStore.State;
import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.RedisCluster;
import io.lettuce.core.RedisClient;
import io.lettuce.core.cluster.SlotHash;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What stands in Redis when gateways come, go, die, and are late. */
@Timeout(360)
class RedisPresenceTest {
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final PresenceSettings LONG = new PresenceSettings(100, Duration.ZERO, Duration.ofMinutes(5));

    private final String topic = Backends.unique("topic");
    private final List<RedisPresence> stores = new ArrayList<>();

    @AfterEach
    void close() {
        stores.forEach(RedisPresence::close);
    }

    private RedisPresence store(String gateway, PresenceSettings settings) throws InterruptedException {
        return store(gateway, settings, new CopyOnWriteArrayList<>());
    }

    private RedisPresence store(String gateway, PresenceSettings settings, List<String> changed)
            throws InterruptedException {
        return store(Backends.shared().redis(), gateway, settings, changed);
    }

    private RedisPresence store(String url, String gateway, PresenceSettings settings, List<String> changed)
            throws InterruptedException {
        RedisPresence store = new RedisPresence(url, topic, gateway, settings, PATIENCE);
        stores.add(store);
        CountDownLatch connected = new CountDownLatch(1);
        store.start(new PresenceStore.Listener() {
            @Override
            public void connected() {
                connected.countDown();
            }

            @Override
            public void disconnected() {
                // Nothing here waits for it.
            }

            @Override
            public void changed(String channel) {
                changed.add(channel);
            }
        });
        assertThat(connected.await(60, TimeUnit.SECONDS)).isTrue();
        return store;
    }

    private static <T> T get(CompletionStage<T> stage) {
        return stage.toCompletableFuture().orTimeout(60, TimeUnit.SECONDS).join();
    }

    private static State read(RedisPresence store) {
        return get(store.read("chat:x", 100));
    }

    @Test
    void aMemberAtTwoGatewaysIsOneWithItsConnections() throws InterruptedException {
        // given
        RedisPresence a = store("a", LONG);
        RedisPresence b = store("b", LONG);

        // when
        get(a.update("chat:x", Map.of("sann", 2, "c1", 1), true));
        get(b.update("chat:x", Map.of("sann", 1), true));

        // then
        assertThat(read(a)).isEqualTo(new State(2, Map.of("sann", 3L, "c1", 1L), List.of()));
        get(a.update("chat:x", Map.of("sann", 0, "c1", 0), false));
        assertThat(read(b)).isEqualTo(new State(1, Map.of("sann", 1L), List.of()));
        get(b.update("chat:x", Map.of("sann", 0), false));
        assertThat(read(b)).isEqualTo(new State(0, Map.of(), List.of()));
    }

    @Test
    void channelsOfAClusterAreAtItsNodesAndChangesAreHeardEverywhere() throws InterruptedException {
        // given: of two seeds the first is not there
        try (RedisCluster cluster = RedisCluster.start(2)) {
            String url = cluster.url().replace("redis://", "redis://127.0.0.1:" + Ports.free() + ",");
            List<String> changed = new CopyOnWriteArrayList<>();
            RedisPresence a = store(url, "a", LONG, new CopyOnWriteArrayList<>());
            RedisPresence b = store(url, "b", LONG, changed);
            List<String> channels =
                    IntStream.range(0, 20).mapToObj(i -> "chat:x" + i).toList();
            channels.forEach(channel -> b.watch(channel, true));

            // when
            for (String channel : channels) {
                get(a.update(channel, Map.of("sann", 2, "c1", 1), true));
                get(b.update(channel, Map.of("sann", 1), true));

                // then
                assertThat(get(a.read(channel, 100))).isEqualTo(new State(2, Map.of("sann", 3L, "c1", 1L), List.of()));
            }

            // and a change is a hint that comes by whatever node; one that came before the watch is told again
            await().atMost(PATIENCE).until(() -> {
                for (String channel : channels) {
                    get(a.update(channel, Map.of("cnew", 1), false));
                    get(a.update(channel, Map.of("cnew", 0), false));
                }
                return changed.containsAll(channels);
            });
        }
    }

    @Test
    void toldAnewIsNotCountedTwice() throws InterruptedException {
        // given: of before an outage
        RedisPresence a = store("a", LONG);
        get(a.update("chat:x", Map.of("sann", 2, "sbob", 1), true));

        // when
        get(a.update("chat:x", Map.of("sann", 1, "scid", 1), true));

        // then
        assertThat(read(a).members()).isEqualTo(Map.of("sann", 1L, "scid", 1L));
    }

    @Test
    void whatADeadGatewayLeftIsClearedByAnother() throws InterruptedException {
        // given: more than one call clears
        RedisPresence dead = store("dead", LONG);
        RedisPresence b = store("b", LONG);
        Map<String, Integer> many = new HashMap<>();
        for (int i = 0; i < 1000; i++) {
            many.put("s" + i, 1);
        }
        get(dead.update("chat:x", many, true));
        get(b.update("chat:x", Map.of("s7", 1), true));
        long version = get(b.renew("chat:x")).version();
        assertThat(get(b.clear("chat:x", "b"))).as("it lives").isFalse();
        assertThat(read(b).count()).isEqualTo(1000);

        // when: its lease ends, but what it left is kept for long, however long this machine takes
        get(dead.release("chat:x"));
        await().atMost(PATIENCE).until(() -> get(b.renew("chat:x")).ended().equals(List.of("dead")));
        assertThat(read(b).ended()).containsExactly("dead");
        int calls = 1;
        while (get(b.clear("chat:x", "dead"))) {
            calls++;
        }

        // then
        assertThat(calls).isGreaterThan(1);
        assertThat(read(b)).isEqualTo(new State(1, Map.of("s7", 1L), List.of()));
        Renewal renewal = get(b.renew("chat:x"));
        assertThat(renewal.held()).isTrue();
        assertThat(renewal.version()).isGreaterThan(version);
        assertThat(get(dead.renew("chat:x")).held()).as("it was only slow").isFalse();
    }

    @Test
    void whereAPartIsLostAllTellTheirsAnew() throws InterruptedException {
        // given
        RedisPresence dead = store("dead", LONG);
        RedisPresence b = store("b", LONG);
        get(dead.update("chat:x", Map.of("sann", 1), true));
        get(b.update("chat:x", Map.of("sbob", 1), true));
        RedisClient client = RedisClient.create(Backends.shared().redis());
        try (var connection = client.connect()) {
            connection.sync().del(dead.keys("chat:x", "dead")[3]);
        } finally {
            client.shutdown(Duration.ZERO, Duration.ofSeconds(1));
        }

        // when
        get(dead.release("chat:x"));
        await().atMost(PATIENCE).until(() -> !read(b).ended().isEmpty());
        assertThat(get(b.clear("chat:x", "dead"))).isFalse();

        // then
        assertThat(read(b).count()).isZero();
        assertThat(get(b.renew("chat:x")).held()).isFalse();
        assertThat(get(b.update("chat:x", Map.of("scid", 1), false)))
                .as("there is nothing to be changed")
                .isFalse();
        assertThat(get(b.update("chat:x", Map.of("sbob", 1), true))).isTrue();
        assertThat(read(b).members()).isEqualTo(Map.of("sbob", 1L));
    }

    @Test
    void aLargeChannelIsReadByItsFirstMembers() throws InterruptedException {
        // given
        RedisPresence a = store("a", LONG);
        Map<String, Integer> many = new HashMap<>();
        for (int i = 0; i < 2000; i++) {
            many.put("s" + i, 1);
        }
        get(a.update("chat:x", many, true));

        // when
        State state = read(a);

        // then
        assertThat(state.count()).isEqualTo(2000);
        assertThat(state.members().size()).isBetween(50, 500);
        assertThat(many).containsKeys(state.members().keySet().toArray(String[]::new));
    }

    @Test
    void whoWatchesIsToldOfComingsAndGoingsButNotOfMoreConnections() throws InterruptedException {
        // given
        List<String> changed = new CopyOnWriteArrayList<>();
        RedisPresence a = store("a", LONG, changed);
        RedisPresence b = store("b", LONG);
        a.watch("chat:x", true);
        await().atMost(PATIENCE).until(() -> {
            get(b.update("chat:x", Map.of("sann", 1), true));
            get(b.update("chat:x", Map.of("sann", 0), true));
            return !changed.isEmpty();
        });
        get(b.update("chat:x", Map.of("sann", 1), true));
        get(b.update("chat:end", Map.of("sann", 1), true));

        // when
        int before = changed.size();
        get(b.update("chat:x", Map.of("sann", 2), false));
        get(a.update("chat:x", Map.of("sann", 1), true));
        get(b.update("chat:x", Map.of("sbob", 1), false));

        // then: one more, or the one of before was still on its way
        await().atMost(PATIENCE).until(() -> changed.size() > before);
        assertThat(changed).containsOnly("chat:x");
    }

    @Test
    void aReleasedLeaseEndsAfterTheGrace() throws InterruptedException {
        // given
        RedisPresence a = store("a", LONG);
        RedisPresence b = store("b", LONG);
        get(a.update("chat:x", Map.of("sann", 1), true));

        // when
        get(a.release("chat:x"));

        // then
        await().atMost(PATIENCE).until(() -> read(b).ended().equals(List.of("a")));
    }

    @Test
    void theKeysOfAChannelAreInOneSlot() throws InterruptedException {
        // given
        RedisPresence a = store("a", LONG);

        // when, then
        assertThat(Stream.of(a.keys("chat:x", "a")).map(SlotHash::getSlot).distinct())
                .hasSize(1)
                .containsExactly(SlotHash.getSlot("chat:x"));
    }
}
