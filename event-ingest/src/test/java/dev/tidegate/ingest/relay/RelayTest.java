package dev.tidegate.ingest.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.ingest.config.FanoutSettings;
import dev.tidegate.ingest.config.KafkaSettings;
import dev.tidegate.ingest.config.PublishSettings;
import dev.tidegate.ingest.publish.Event;
import dev.tidegate.ingest.publish.EventRecords;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.Topics;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntPredicate;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.MapConfigurationPropertySource;

/** Relays that end at any point, several at once, over a table in memory and a real Kafka: each row once, in order. */
@Timeout(480)
class RelayTest {
    private static final int PARTITIONS = 3;

    /** Not long ago: Kafka expires what is older than its retention. */
    private static final long SINCE = System.currentTimeMillis() - 600_000;

    private final MemoryTable table = new MemoryTable();
    private final SimpleMeterRegistry meters = new SimpleMeterRegistry();
    private String topic;
    private KafkaSettings kafka;
    private FanoutSettings fanout;
    private EventRecords records;

    /** A table that one relay has at a time, and that can fail to delete what was relayed. */
    private static final class MemoryTable implements RelayTable {
        private final TreeMap<Long, RelayRow> rows = new TreeMap<>();
        private final TreeMap<Long, String> aside = new TreeMap<>();
        private final TreeMap<Long, String> passedOver = new TreeMap<>(); // channel by number
        private final Set<Long> unreadable = ConcurrentHashMap.newKeySet();
        private final AtomicInteger deletes = new AtomicInteger();
        private final AtomicInteger releases = new AtomicInteger();
        private volatile IntPredicate deleteFails = n -> false;
        private boolean held;

        synchronized void add(long seq, String channel, byte[] payload) {
            rows.put(
                    seq,
                    new RelayRow(
                            seq,
                            new Event(
                                    ChannelName.parse(channel), "e" + seq, null, null, null, payload, null, List.of()),
                            SINCE + seq));
        }

        synchronized boolean isEmpty() {
            return rows.isEmpty();
        }

        @Override
        public String name() {
            return "test";
        }

        @Override
        public synchronized Optional<Held> hold() {
            if (held) {
                return Optional.empty();
            }
            held = true;
            return Optional.of(new Ours());
        }

        private final class Ours implements Held {
            @Override
            public Next next(int maxRows, long maxBytes) {
                synchronized (MemoryTable.this) {
                    List<RelayRow> next = new ArrayList<>();
                    Map<String, Unread> unread = new HashMap<>();
                    rows.values().stream()
                            .filter(r -> !aside.containsKey(r.seq()) && !isBehind(r))
                            .limit(maxRows)
                            .forEach(r -> {
                                String channel = r.event().channel().value();
                                if (unreadable.contains(r.seq())) {
                                    unread.putIfAbsent(channel, new Unread(r.seq(), channel, "a later version"));
                                } else if (!unread.containsKey(channel)) {
                                    next.add(r);
                                }
                            });
                    return new Next(next, List.copyOf(unread.values()));
                }
            }

            private boolean isBehind(RelayRow r) {
                return passedOver
                        .headMap(r.seq(), true)
                        .containsValue(r.event().channel().value());
            }

            @Override
            public void passOver(Unread row) {
                synchronized (MemoryTable.this) {
                    passedOver.put(row.seq(), row.channel());
                }
            }

            @Override
            public boolean keepsUnread() {
                synchronized (MemoryTable.this) {
                    return !passedOver.isEmpty();
                }
            }

            @Override
            public Optional<String> digest(long seq) {
                synchronized (MemoryTable.this) {
                    return Optional.ofNullable(rows.get(seq)).map(RelayRow::digest);
                }
            }

            @Override
            public void delete(List<Long> seqs) {
                if (deleteFails.test(deletes.incrementAndGet())) {
                    throw new IllegalStateException("killed between commit and delete");
                }
                synchronized (MemoryTable.this) {
                    seqs.forEach(rows::remove);
                }
            }

            @Override
            public void setAside(long seq, String why) {
                synchronized (MemoryTable.this) {
                    aside.put(seq, why);
                }
            }

            @Override
            public void close() {
                synchronized (MemoryTable.this) {
                    held = false;
                }
                releases.incrementAndGet();
            }
        }
    }

    @BeforeEach
    void prepare() throws Exception {
        topic = Backends.unique("relay");
        kafka = new KafkaSettings(Backends.shared().kafka(), Map.of());
        fanout = settings("tidegate.fanout", FanoutSettings.class, Map.of("tidegate.fanout.topic", topic));
        records = new EventRecords(fanout, settings("tidegate.ingest.publish", PublishSettings.class, Map.of()));
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", kafka.bootstrapServers()))) {
            Topics.create(
                    admin, new NewTopic(topic, PARTITIONS, (short) 1).configs(Map.of("max.message.bytes", "100000")));
        }
    }

    private static <T> T settings(String prefix, Class<T> type, Map<String, String> properties) {
        return new Binder(new MapConfigurationPropertySource(properties)).bindOrCreate(prefix, type);
    }

    private Relay relay() {
        Relay.Surroundings around = new Relay.Surroundings() {
            @Override
            public boolean mayRelay() {
                return true;
            }

            @Override
            public boolean mayHaveRows() {
                return true;
            }

            @Override
            public void failed(String why) {}

            @Override
            public void relayed() {}

            @Override
            public void empty() {}
        };
        Relay relay = new Relay(table, around, records, kafka, fanout, new Relay.Limits(50, 1 << 20), meters);
        relay.start();
        return relay;
    }

    private void fill(int rows) {
        for (int i = 0; i < rows; i++) {
            // not all numbers: others use the sequence, too
            table.add(3L * i, "c" + i % 7, Integer.toString(i).getBytes(StandardCharsets.US_ASCII));
        }
    }

    private List<ConsumerRecord<byte[], byte[]>> log() {
        return Topics.records(kafka.bootstrapServers(), topic);
    }

    private void assertEachOnceInOrder(int rows) {
        // A commit is answered when it is decided, a moment before readers see it.
        await().atMost(Duration.ofSeconds(60)).until(() -> log().size(), size -> size >= rows);
        Map<String, Integer> last = new HashMap<>();
        List<ConsumerRecord<byte[], byte[]>> log = log();
        for (ConsumerRecord<byte[], byte[]> r : log) {
            String channel = new String(r.key(), StandardCharsets.US_ASCII);
            int n = Integer.parseInt(new String(r.value(), StandardCharsets.US_ASCII));
            assertThat(n).as(channel).isGreaterThan(last.getOrDefault(channel, -1));
            last.put(channel, n);
            assertThat(r.timestamp()).isEqualTo(SINCE + 3L * n);
        }
        assertThat(log.size()).isEqualTo(rows);
    }

    private void awaitEmpty() {
        await().atMost(Duration.ofSeconds(90)).until(table::isEmpty);
    }

    @Test
    @DisplayName("Relays that end between commit and delete, now and then: nothing is relayed twice")
    void betweenCommitAndDelete() {
        // given
        fill(600);
        table.deleteFails = n -> n % 4 == 2;
        // when
        try (Relay one = relay();
                Relay two = relay()) {
            awaitEmpty();
            one.wake();
            two.wake();
        }
        // then
        assertEachOnceInOrder(600);
        assertThat(meters.find("tidegate.ingest.relay.recovered").counters().stream()
                        .mapToDouble(c -> c.count())
                        .sum())
                .isPositive();
    }

    @Test
    @DisplayName("Relays that are ended at any moment, with a second one waiting for its turn")
    void atAnyMoment() {
        long seed = System.nanoTime();
        System.out.println("[relay] seed " + seed);
        Random random = new Random(seed);
        fill(3_000);
        // when
        for (int i = 0; i < 8 && !table.isEmpty(); i++) {
            try (Relay one = relay();
                    Relay two = relay()) {
                int before = table.deletes.get();
                int some = random.nextInt(6);
                // ended after some deletes and a little, which is anywhere in a transaction
                await().atMost(Duration.ofSeconds(60))
                        .until(() -> table.isEmpty() || table.deletes.get() >= before + some);
                LockSupport.parkNanos(random.nextInt(15_000_000)); // not a wait for anything: the moment is the point
                one.wake();
                two.wake();
            }
        }
        try (Relay last = relay()) {
            awaitEmpty();
            last.wake();
        }
        // then
        assertEachOnceInOrder(3_000);
    }

    @Test
    @DisplayName("An event that no broker takes is set aside, and holds up nobody")
    void poison() {
        fill(10);
        table.add(4, "c1", new byte[200_000]);
        try (Relay one = relay()) {
            await().atMost(Duration.ofSeconds(60)).until(() -> table.rows.size() == 1);
            one.wake();
        }
        assertEachOnceInOrder(10);
        assertThat(table.aside).containsOnlyKeys(4L);
    }

    @Test
    @DisplayName(
            "A row that cannot be read holds up its channel alone, and the table is let go for one who can read it")
    void unreadable() {
        // given the third event of channel c1, of 100
        fill(100);
        table.unreadable.add(3L * 15);
        // when
        try (Relay one = relay()) {
            int behind = 100 / 7 + 1 - 2;
            await().atMost(Duration.ofSeconds(60)).until(() -> table.rows.size() == behind);
            // then the others are relayed, and what holds up is left to another, now and then
            assertThat(table.passedOver).containsOnlyKeys(3L * 15);
            int before = table.releases.get();
            await().atMost(Duration.ofSeconds(60)).until(() -> table.releases.get() > before);
            one.wake();
        }
        assertThat(log()).hasSize(100 - table.rows.size());
        // when one comes that can read it
        table.unreadable.clear();
        table.passedOver.clear();
        try (Relay newer = relay()) {
            awaitEmpty();
            newer.wake();
        }
        // then
        assertEachOnceInOrder(100);
    }
}
