package dev.tidegate.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.backends.BackendKind;
import dev.tidegate.backends.DataFolder;
import dev.tidegate.backends.EmbeddedKafka;
import dev.tidegate.backends.EmbeddedRedis;
import dev.tidegate.backends.Ports;
import dev.tidegate.gateway.fanout.Tail;
import dev.tidegate.gateway.metrics.GatewayMetrics;
import dev.tidegate.protocol.FallbackCopy;
import dev.tidegate.testsupport.FaultyLink;
import dev.tidegate.testsupport.Position;
import dev.tidegate.testsupport.ReceivedEvent;
import dev.tidegate.testsupport.TidegateClient;
import dev.tidegate.testsupport.Topics;
import io.lettuce.core.RedisClient;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.codec.ByteArrayCodec;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.springframework.context.ConfigurableApplicationContext;

/** A whole gateway whose way to Kafka can be frozen, on an embedded Kafka and Redis; publishing is done by hand. */
@Timeout(360)
class FallbackTierTest {
    private static final Duration WITHIN = Duration.ofSeconds(60);
    private static final String TOPIC = "fanout";
    private static final int PARTITIONS = 2;

    private static EmbeddedKafka kafka;
    private static EmbeddedRedis redis;
    private static DataFolder redisData;
    private static FaultyLink link;
    private static KafkaProducer<byte[], byte[]> producer;
    private static RedisClient redisClient;
    private static StatefulRedisConnection<byte[], byte[]> copies;
    private static ConfigurableApplicationContext gateway;
    private static String url;

    @BeforeAll
    static void start() throws Exception {
        String run = "fallback-" + ProcessHandle.current().pid();
        DataFolder data = DataFolder.open(Path.of("target", "test-backends", run));
        redisData = data;
        int behind = Ports.free();
        int front = Ports.free();
        kafka = EmbeddedKafka.start(data.claim(BackendKind.KAFKA), 0, EmbeddedKafka.behindLink(behind, front));
        link = FaultyLink.between(front, behind);
        redis = EmbeddedRedis.start(data.claim(BackendKind.REDIS), 0, Map.of());
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", kafka.address()))) {
            Topics.create(admin, new NewTopic(TOPIC, PARTITIONS, (short) 1));
        }
        producer = new KafkaProducer<>(
                Map.of("bootstrap.servers", kafka.address(), "acks", "all", "linger.ms", "0"),
                new ByteArraySerializer(),
                new ByteArraySerializer());
        redisClient = RedisClient.create(redis.address());
        copies = redisClient.connect(ByteArrayCodec.INSTANCE);
        Map<String, Object> settings = new HashMap<>(Map.of(
                "server.port",
                0,
                "server.address",
                "127.0.0.1",
                "spring.profiles.active",
                "dev",
                "spring.config.import",
                "",
                "tidegate.fanout.topic",
                TOPIC,
                "tidegate.gateway.kafka",
                "127.0.0.1:" + link.port(),
                "tidegate.redis.url",
                redis.address(),
                "tidegate.gateway.loops",
                2,
                "tidegate.gateway.heartbeat",
                "500ms",
                "tidegate.gateway.drain-timeout",
                "0s"));
        gateway = GatewayApplication.start(List.of(GatewayConfiguration.class), settings);
        url = "http://127.0.0.1:" + gateway.getEnvironment().getProperty("local.server.port");
        awaitSources("live", "live");
    }

    @AfterEach
    void restore() {
        link.pass();
        awaitSources("live", "live");
        await().atMost(WITHIN)
                .until(() -> gateway.getBean(RunningCore.class).ring().hedging() == 0);
    }

    @AfterAll
    static void stop() {
        gateway.close();
        producer.close(Duration.ZERO);
        redisClient.shutdown();
        link.close();
        kafka.close();
        redis.close();
    }

    @Test
    void whatKafkaDoesNotBringComesProvisionallyAndIsReconciledWhenItDoes() {
        // given a subscriber that has had an event by Kafka, whose copy is dropped
        try (TidegateClient client = connect()) {
            String channel = "demo:frozen";
            client.subscribe(channel).join();
            stored(channel, "e0");
            client.awaitEvents(channel, 1, WITHIN);
            copied(channel, "e0", false);
            assertThat(client.events(channel).getFirst().cursor()).isNotNull();

            // when
            link.freeze();
            for (int i = 1; i <= 3; i++) {
                stored(channel, "e" + i);
                copied(channel, "e" + i, false);
            }
            client.awaitEvents(channel, 4, WITHIN);

            // then
            assertThat(client.events(channel).stream().map(ReceivedEvent::id)).containsExactly("e0", "e1", "e2", "e3");
            assertThat(client.events(channel).subList(1, 4)).allMatch(e -> e.cursor() == null);
            Position before = client.position(channel);

            // when the way is free again, and another event comes by it
            link.thaw();
            stored(channel, "e4");
            client.awaitEvents(channel, 5, WITHIN);

            // then nothing came twice, nothing is missing, and the position has moved over what came provisionally
            ReceivedEvent last = client.events(channel).getLast();
            assertThat(last.id()).isEqualTo("e4");
            assertThat(last.cursor()).isNotNull();
            assertThat(last.cursor().offset()).isEqualTo(before.offset() + 4);
            assertThat(client.repeats()).isZero();
            assertThat(client.violations()).isEmpty();
            assertThat(metrics().hedged.sum()).isGreaterThanOrEqualTo(3);
        }
    }

    @Test
    void whoReconnectsWhileKafkaIsFrozenGetsWhatItMissedInFull() {
        // given
        try (TidegateClient client = connect()) {
            String channel = "demo:back";
            client.subscribe(channel).join();
            link.freeze();
            stored(channel, "b1");
            copied(channel, "b1", false);
            client.awaitEvents(channel, 1, WITHIN);

            // when
            client.cut();
            client.await("reconnected", WITHIN, () -> client.connects() >= 2 && client.isSubscribed(channel));
            copied(channel, "b2", false);
            client.awaitEvents(channel, 2, WITHIN);
            link.thaw();
            stored(channel, "b2");
            stored(channel, "b3");
            client.awaitEvents(channel, 3, WITHIN);

            // then: b1 came again with its cursor, since this connection had not had it; b2 did not
            assertThat(client.events(channel).stream().map(ReceivedEvent::id)).containsExactly("b1", "b2", "b3");
            assertThat(client.repeats()).isEqualTo(1);
            assertThat(client.violations()).isEmpty();
        }
    }

    @Test
    void theFastestWayWinsAndTheOtherOnlyMovesThePosition() {
        // given
        try (TidegateClient client = connect()) {
            String channel = "fast:x";
            client.subscribe(channel).join();

            // when
            copied(channel, "f1", false);
            client.awaitEvents(channel, 1, WITHIN);
            stored(channel, "f1");
            stored(channel, "f2");
            client.awaitEvents(channel, 2, WITHIN);
            copied(channel, "f2", false);
            copied(channel, "f3", false);
            client.awaitEvents(channel, 3, WITHIN);

            // then
            stored(channel, "f3"); // a copy without a record would keep a partition hedging
            assertThat(client.events(channel).stream().map(e -> e.cursor() == null))
                    .containsExactly(true, false, true);
            assertThat(client.repeats()).isZero();
            assertThat(client.violations()).isEmpty();
        }
    }

    @Test
    void ephemeralEventsComeOnceAndWithoutAPast() {
        // given
        try (TidegateClient client = connect()) {
            String channel = "typing:room";
            assertThat(client.subscribe(channel).join().path("recovery").asString())
                    .isEqualTo("none");

            // when
            copied(channel, "t1", true);
            copied(channel, "t1", true);
            copied(channel, "t2", true);
            client.awaitEvents(channel, 2, WITHIN);

            // then
            assertThat(client.events(channel).stream().map(ReceivedEvent::id)).containsExactly("t1", "t2");
            assertThat(client.repeats()).isZero();

            // when somebody asks for its past
            try (TidegateClient other = connect()) {
                String answer =
                        other.subscribeLast(channel, 5).join().path("recovery").asString();

                // then
                assertThat(answer).isEqualTo("none");
            }
        }
    }

    @Test
    void aRedisThatComesBackIsFoundAndOneThatIsAwayStopsNothing() {
        // given
        try (TidegateClient client = connect()) {
            String channel = "demo:redis";
            client.subscribe(channel).join();
            int port = redis.port();
            redis.close();
            awaitSources("live", "away");

            // when
            stored(channel, "r1");

            // then
            client.awaitEvents(channel, 1, WITHIN);

            // when
            redis = EmbeddedRedis.start(redisData.claim(BackendKind.REDIS), port, Map.of());
            awaitSources("live", "live");
            link.freeze();
            await().atMost(WITHIN).until(() -> {
                copied(channel, "r2", false);
                return client.eventCount(channel) == 2;
            });

            // then
            assertThat(client.events(channel).getLast().cursor()).isNull();

            // and when its record comes, while it is still wanted, or its partition would go on hedging for a while
            Position before = client.position(channel);
            link.thaw();
            stored(channel, "r2");
            client.await("reconciled", WITHIN, () -> !before.equals(client.position(channel)));
        }
    }

    /** The heartbeat is short here, and this machine may stand still for longer than two of them. */
    private static TidegateClient connect() {
        return TidegateClient.at(url).bears(WITHIN).connect();
    }

    private static void awaitSources(String ofKafka, String ofRedis) {
        RunningCore core = gateway.getBean(RunningCore.class);
        await().atMost(WITHIN).until(() -> core.sources().equals(Map.of("kafka", ofKafka, "redis", ofRedis)));
    }

    private static GatewayMetrics metrics() {
        return gateway.getBean(GatewayMetrics.class);
    }

    private static void stored(String channel, String id) {
        ProducerRecord<byte[], byte[]> record =
                new ProducerRecord<>(TOPIC, channel.getBytes(UTF_8), json(id).getBytes(UTF_8));
        record.headers().add("ce_id", id.getBytes(UTF_8));
        try {
            producer.send(record).get(60, TimeUnit.SECONDS);
        } catch (Exception e) {
            throw new AssertionError(id + " could not be stored", e);
        }
    }

    private static void copied(String channel, String id, boolean ephemeral) {
        byte[] name = channel.getBytes(UTF_8);
        byte[] message = new FallbackCopy(
                        ephemeral,
                        name,
                        id.getBytes(UTF_8),
                        null,
                        null,
                        null,
                        System.currentTimeMillis(),
                        null,
                        null,
                        json(id).getBytes(UTF_8))
                .encode();
        String redisChannel = FallbackCopy.redisChannel(TOPIC, Tail.partitionOf(name, PARTITIONS));
        var _ = copies.sync().publish(redisChannel.getBytes(UTF_8), message);
    }

    private static String json(String id) {
        return "{\"id\":\"" + id + "\"}";
    }
}
