package dev.tidegate.replay;

import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** A record as the archive's table has it, and as the topic has it: the two must be equal, record by record. */
record ArchivedRecord(
        int partition,
        long offset,
        String channel,
        String id,
        String type,
        String contentType,
        long stored,
        String payload) {
    private static final Comparator<ArchivedRecord> ORDER =
            Comparator.comparingInt(ArchivedRecord::partition).thenComparingLong(ArchivedRecord::offset);

    /** All rows of a topic's epoch. */
    static List<ArchivedRecord> inArchive(String postgres, String epoch) {
        List<ArchivedRecord> rows = new ArrayList<>();
        try (Connection c = connect(postgres);
                PreparedStatement s = c.prepareStatement(
                        "SELECT partition, \"offset\", channel, id, type, content_type, stored, payload"
                                + " FROM replay.archive_event WHERE epoch = ? ORDER BY partition, \"offset\"")) {
            s.setString(1, epoch);
            ResultSet r = s.executeQuery();
            while (r.next()) {
                rows.add(new ArchivedRecord(
                        r.getInt(1),
                        r.getLong(2),
                        r.getString(3),
                        r.getString(4),
                        r.getString(5),
                        r.getString(6),
                        r.getLong(7),
                        new String(r.getBytes(8), StandardCharsets.UTF_8)));
            }
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
        return rows;
    }

    /** All records of these namespaces that a topic has. */
    static List<ArchivedRecord> inTopic(String kafka, String topic, int partitions, String... namespaces) {
        List<TopicPartition> all = IntStream.range(0, partitions)
                .mapToObj(p -> new TopicPartition(topic, p))
                .toList();
        List<ArchivedRecord> records = new ArrayList<>();
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(
                Map.of("bootstrap.servers", kafka, "isolation.level", "read_committed", "enable.auto.commit", "false"),
                new ByteArrayDeserializer(),
                new ByteArrayDeserializer())) {
            consumer.assign(all);
            consumer.seekToBeginning(all);
            Map<TopicPartition, Long> ends = consumer.endOffsets(all);
            while (all.stream().anyMatch(tp -> consumer.position(tp) < ends.get(tp))) {
                for (ConsumerRecord<byte[], byte[]> r : consumer.poll(Duration.ofMillis(200))) {
                    String channel = r.key() == null ? "" : new String(r.key(), StandardCharsets.US_ASCII);
                    for (String ns : namespaces) {
                        if (channel.startsWith(ns + ":") || (ns.equals("default") && !channel.contains(":"))) {
                            records.add(of(channel, r));
                        }
                    }
                }
            }
        }
        records.sort(ORDER);
        return records;
    }

    private static ArchivedRecord of(String channel, ConsumerRecord<byte[], byte[]> r) {
        return new ArchivedRecord(
                r.partition(),
                r.offset(),
                channel,
                header(r, "ce_id"),
                header(r, "ce_type"),
                header(r, "content-type"),
                r.timestamp(),
                new String(r.value(), StandardCharsets.UTF_8));
    }

    private static String header(ConsumerRecord<byte[], byte[]> r, String name) {
        Header h = r.headers().lastHeader(name);
        return h == null ? null : new String(h.value(), StandardCharsets.UTF_8);
    }

    static Connection connect(String postgres) throws SQLException {
        String at = postgres.substring(postgres.indexOf('@') + 1);
        return DriverManager.getConnection("jdbc:postgresql://" + at, "postgres", "");
    }

    /** The offset up to which (exclusive) a partition was archived; -1 if it has no place yet. */
    static long position(String postgres, String epoch, int partition) {
        try (Connection c = connect(postgres);
                PreparedStatement s = c.prepareStatement(
                        "SELECT next_offset FROM replay.archive_position WHERE epoch = ? AND partition = ?")) {
            s.setString(1, epoch);
            s.setInt(2, partition);
            ResultSet r = s.executeQuery();
            return r.next() ? r.getLong(1) : -1;
        } catch (SQLException e) {
            return -1; // away, or the table is not there yet
        }
    }
}
