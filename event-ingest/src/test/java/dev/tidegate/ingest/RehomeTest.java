package dev.tidegate.ingest;

import static dev.tidegate.ingest.IngestUnderTest.header;
import static dev.tidegate.ingest.IngestUnderTest.text;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.ingest.publish.FanoutTopic;
import dev.tidegate.protocol.Cursor;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.utils.Utils;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Records that a foreign producer put where they do not belong. */
@Timeout(480)
class RehomeTest {
    private static final int PARTITIONS = 4;

    private static int home(byte[] key) {
        return home(key, PARTITIONS);
    }

    private static int home(byte[] key, int partitions) {
        return Utils.toPositive(Utils.murmur2(key)) % partitions;
    }

    private static KafkaProducer<byte[], byte[]> producer(IngestUnderTest ingest) {
        return new KafkaProducer<>(
                Map.of("bootstrap.servers", ingest.kafka), new ByteArraySerializer(), new ByteArraySerializer());
    }

    /** As kcat would, with another idea of where a key belongs. */
    private static ProducerRecord<byte[], byte[]> astray(IngestUnderTest ingest, String channel, String value) {
        byte[] key = channel.getBytes(UTF_8);
        return new ProducerRecord<>(ingest.topic, (home(key) + 1) % PARTITIONS, key, value.getBytes(UTF_8));
    }

    private static Map<String, List<String>> atHome(IngestUnderTest ingest) {
        Map<String, List<String>> values = new HashMap<>();
        for (ConsumerRecord<byte[], byte[]> r : ingest.records()) {
            if (r.key() != null && r.partition() == home(r.key())) {
                values.computeIfAbsent(text(r.key()), k -> new ArrayList<>()).add(text(r.value()));
            }
        }
        return values;
    }

    @Test
    @DisplayName("Misplaced records come home once, in order, with their id and time; others stay where they are")
    void movesHome() throws Exception {
        try (IngestUnderTest ingest = IngestUnderTest.start(Map.of());
                KafkaProducer<byte[], byte[]> producer = producer(ingest)) {
            // given
            Map<String, List<String>> sent = new HashMap<>();
            for (int i = 0; i < 500; i++) {
                String channel = "orders:c" + i % 13;
                var _ = producer.send(astray(ingest, channel, Integer.toString(i)));
                sent.computeIfAbsent(channel, c -> new ArrayList<>()).add(Integer.toString(i));
            }
            ProducerRecord<byte[], byte[]> named = astray(ingest, "named", "1");
            named.headers().add("ce_id", "my-id".getBytes(UTF_8)).add("x", "y".getBytes(UTF_8));
            var _ = producer.send(named);
            ProducerRecord<byte[], byte[]> nameless = astray(ingest, "nameless", "1");
            nameless.headers().add("ce_id", new byte[0]);
            RecordMetadata first = producer.send(nameless).get();
            var _ = producer.send(astray(ingest, "not a channel", "1"));
            var _ = producer.send(new ProducerRecord<>(ingest.topic, 0, null, "no key".getBytes(UTF_8)));
            var _ = producer.send(new ProducerRecord<>(
                    ingest.topic, home("placed".getBytes(UTF_8)), "placed".getBytes(UTF_8), "1".getBytes(UTF_8)));
            producer.flush();
            // when
            await().atMost(Duration.ofSeconds(60))
                    .pollInterval(Duration.ofMillis(500))
                    .untilAsserted(() -> assertThat(atHome(ingest))
                            .containsAllEntriesOf(sent)
                            .containsEntry("named", List.of("1"))
                            .containsEntry("nameless", List.of("1")));
            // then
            assertThat(atHome(ingest))
                    .containsEntry("placed", List.of("1"))
                    .doesNotContainKey("not a channel")
                    .hasSize(sent.size() + 3);
            String epoch = Cursor.parse(ingest.publish("a", "1").json("cursor")).epoch();
            for (ConsumerRecord<byte[], byte[]> r : ingest.records()) {
                String key = r.key() == null ? "" : text(r.key());
                if (key.equals("named") && r.partition() == home(r.key())) {
                    assertThat(header(r, "ce_id")).isEqualTo("my-id");
                    assertThat(header(r, "x")).isEqualTo("y");
                }
                if (key.equals("nameless") && r.partition() == home(r.key())) {
                    assertThat(header(r, "ce_id"))
                            .isEqualTo(new Cursor(epoch, first.partition(), first.offset()).toString());
                    assertThat(r.timestamp()).isEqualTo(first.timestamp());
                }
            }
        }
    }

    @Test
    @DisplayName("Whoever comes next, after a restart or beside the first, moves what is new and nothing twice")
    void movesOnce() {
        // given
        IngestUnderTest first = IngestUnderTest.start(Map.of());
        Map<String, List<String>> sent = new HashMap<>();
        try (KafkaProducer<byte[], byte[]> producer = producer(first)) {
            for (int round = 0; round < 3; round++) {
                for (int i = 0; i < 100; i++) {
                    String channel = "orders:c" + i % 7;
                    String value = Integer.toString(round * 100 + i);
                    var _ = producer.send(astray(first, channel, value));
                    sent.computeIfAbsent(channel, c -> new ArrayList<>()).add(value);
                }
                producer.flush();
                // when the instance goes in the middle of it and another takes over
                IngestUnderTest next = IngestUnderTest.start(first.topic, Map.of());
                first.close();
                first = next;
            }
            // then
            IngestUnderTest last = first;
            await().atMost(Duration.ofSeconds(90))
                    .pollInterval(Duration.ofMillis(500))
                    .untilAsserted(() -> assertThat(atHome(last)).isEqualTo(sent));
        } finally {
            first.close();
        }
    }

    @Test
    @DisplayName("When partitions are added, what producers go on writing to the old homes comes to the new ones")
    void movesWhatIsWrittenWhilePartitionsAreAdded() throws Exception {
        try (IngestUnderTest ingest = IngestUnderTest.start(Map.of());
                Admin admin = Admin.create(Map.of("bootstrap.servers", ingest.kafka));
                KafkaProducer<byte[], byte[]> producer = producer(ingest)) {
            // given: channels that five partitions lie elsewhere than four
            List<String> channels = IntStream.range(0, 40)
                    .mapToObj(i -> "orders:c" + i)
                    .filter(c -> home(c.getBytes(UTF_8), 5) != home(c.getBytes(UTF_8)))
                    .limit(7)
                    .toList();
            ingest.publish("orders:before", "0");

            // when: the producer knows of four, before the others do and for a while after
            admin.createPartitions(Map.of(ingest.topic, NewPartitions.increaseTo(5)))
                    .all()
                    .get();
            FanoutTopic topic = ingest.bean(FanoutTopic.class);
            Map<String, List<String>> sent = new HashMap<>();
            for (int i = 0, after = 0; after < 50; i++, after += topic.view().partitions() == 5 ? 1 : 0) {
                String channel = channels.get(i % channels.size());
                byte[] key = channel.getBytes(UTF_8);
                producer.send(new ProducerRecord<>(
                                ingest.topic,
                                home(key),
                                key,
                                Integer.toString(i).getBytes(UTF_8)))
                        .get();
                sent.computeIfAbsent(channel, c -> new ArrayList<>()).add(Integer.toString(i));
            }

            // then: some may have come twice, with one id
            await().atMost(Duration.ofSeconds(90))
                    .pollInterval(Duration.ofMillis(500))
                    .untilAsserted(() -> {
                        Map<String, List<String>> values = new HashMap<>();
                        for (ConsumerRecord<byte[], byte[]> r : ingest.records()) {
                            if (r.partition() == home(r.key(), 5)
                                    && !text(r.key()).equals("orders:before")) {
                                List<String> of = values.computeIfAbsent(text(r.key()), k -> new ArrayList<>());
                                if (!of.contains(text(r.value()))) {
                                    of.add(text(r.value()));
                                }
                            }
                        }
                        assertThat(values).isEqualTo(sent);
                    });
        }
    }

    @Test
    void canBeSwitchedOff() {
        try (IngestUnderTest ingest = IngestUnderTest.start(Map.of("tidegate.rehome.enabled", false))) {
            assertThat(ingest.get("/actuator/prometheus").text()).doesNotContain("tidegate_ingest_rehome");
        }
    }
}
