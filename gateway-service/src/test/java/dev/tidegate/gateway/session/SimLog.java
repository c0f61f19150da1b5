package dev.tidegate.gateway.session;

import dev.tidegate.gateway.fanout.Tail;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.record.TimestampType;

/** One incarnation of the fan-out topic as the model knows it: every record, and which of them are events. */
final class SimLog {
    /** A payload may have so many bytes. */
    static final int MAX_PAYLOAD = 200;

    /** An event: a record that has to reach its channel's subscribers. */
    record Event(String channel, long offset, long prev, String id, String data, String subject) {}

    final String epoch;
    final int partitions;
    /** Per partition and offset the record; null where the offset holds none (a transaction marker). */
    private final List<List<ConsumerRecord<byte[], byte[]>>> records = new ArrayList<>();

    private final Map<String, List<Event>> events = new HashMap<>();
    /** Per partition the first offset that retention has left. */
    final long[] start;
    /** Per partition: records below this were removed before the tailer could read them. */
    final long[] lostToTailer;

    private final List<String> channels;
    private int serial;

    SimLog(String epoch, int partitions, List<String> channels) {
        this.epoch = epoch;
        this.partitions = partitions;
        this.channels = channels;
        this.start = new long[partitions];
        this.lostToTailer = new long[partitions];
        for (int p = 0; p < partitions; p++) {
            records.add(new ArrayList<>());
        }
        for (String c : channels) {
            events.put(c, new ArrayList<>());
        }
    }

    int partitionOf(String channel) {
        return Tail.partitionOf(channel.getBytes(StandardCharsets.UTF_8), partitions);
    }

    /** Offset of the partition's last record, -1 if it never had one. */
    long end(int partition) {
        return records.get(partition).size() - 1L;
    }

    ConsumerRecord<byte[], byte[]> record(int partition, long offset) {
        return records.get(partition).get((int) offset);
    }

    /** The channel's events above an offset, at most up to another one. */
    List<Event> events(String channel, long above, long upTo) {
        List<Event> all = events.get(channel);
        int from = firstAbove(all, above);
        int to = firstAbove(all, upTo);
        return from >= to ? List.of() : all.subList(from, to);
    }

    Event event(String channel, long offset) {
        List<Event> found = events(channel, offset - 1, offset);
        return found.isEmpty() ? null : found.getFirst();
    }

    private static int firstAbove(List<Event> all, long offset) {
        int low = 0;
        int high = all.size();
        while (low < high) {
            int mid = (low + high) >>> 1;
            if (all.get(mid).offset() <= offset) {
                low = mid + 1;
            } else {
                high = mid;
            }
        }
        return low;
    }

    /** Appends one record of a random kind. */
    void append(Random random) {
        String channel = channels.get(random.nextInt(channels.size()));
        int partition = partitionOf(channel);
        byte[] key = channel.getBytes(StandardCharsets.UTF_8);
        switch (random.nextInt(24)) {
            case 0 -> add(random.nextInt(partitions), null, json("no key")); // no key
            case 1 -> add(partition, key, "{\"broken\":".getBytes(StandardCharsets.UTF_8));
            case 2 -> add(partition, key, json("x".repeat(MAX_PAYLOAD))); // too large
            case 3 -> add(partition, key, null); // no payload
            case 4 -> {
                if (partitions > 1) {
                    add((partition + 1) % partitions, key, json("misplaced"));
                }
            }
            case 5 -> records.get(random.nextInt(partitions)).add(null); // a transaction marker
            case 6 -> add(partition, "not a channel".getBytes(StandardCharsets.UTF_8), json("bad name"));
            case 7, 8 -> {
                byte[] other = ("other" + random.nextInt(50)).getBytes(StandardCharsets.UTF_8);
                add(Tail.partitionOf(other, partitions), other, json("nobody wants it"));
            }
            default -> addEvent(random, channel, partition, key);
        }
    }

    /** Appends an event whose copy goes over Redis. */
    void append(SimRedis.Published p) {
        int partition = partitionOf(p.channel());
        ConsumerRecord<byte[], byte[]> record = add(
                partition,
                p.channel().getBytes(StandardCharsets.UTF_8),
                p.data().getBytes(StandardCharsets.UTF_8));
        record.headers().add(new RecordHeader("ce_id", p.id().getBytes(StandardCharsets.UTF_8)));
        note(p.channel(), record, p.id(), p.data(), "");
    }

    private void note(String channel, ConsumerRecord<byte[], byte[]> record, String id, String data, String subject) {
        List<Event> of = events.get(channel);
        long prev = of.isEmpty() ? -1 : of.getLast().offset();
        of.add(new Event(channel, record.offset(), prev, id, data, subject));
        serial++;
    }

    private void addEvent(Random random, String channel, int partition, byte[] key) {
        String data = "{\"n\":" + serial + ",\"pad\":\"" + "y".repeat(random.nextInt(60)) + "\"}";
        ConsumerRecord<byte[], byte[]> record = add(partition, key, data.getBytes(StandardCharsets.UTF_8));
        String id;
        if (random.nextBoolean()) {
            id = "e" + serial;
            record.headers().add(new RecordHeader("ce_id", id.getBytes(StandardCharsets.UTF_8)));
        } else {
            id = epoch + "." + partition + "." + record.offset();
        }
        if (random.nextInt(4) == 0) {
            record.headers().add(new RecordHeader("ce_type", "kind.a".getBytes(StandardCharsets.UTF_8)));
        }
        if (random.nextInt(10) == 0) {
            record.headers().add(new RecordHeader("ce_time", "broken".getBytes(StandardCharsets.UTF_8)));
        }
        String subject = random.nextInt(4) == 0 ? "" : "k" + random.nextInt(3);
        if (!subject.isEmpty()) {
            record.headers().add(new RecordHeader("ce_subject", subject.getBytes(StandardCharsets.UTF_8)));
        }
        note(channel, record, id, data, subject);
    }

    private ConsumerRecord<byte[], byte[]> add(int partition, byte[] key, byte[] value) {
        List<ConsumerRecord<byte[], byte[]>> p = records.get(partition);
        var record = new ConsumerRecord<>(
                "fanout",
                partition,
                p.size(),
                1_700_000_000_000L + serial,
                TimestampType.CREATE_TIME,
                0,
                0,
                key,
                value,
                new RecordHeaders(),
                Optional.empty());
        p.add(record);
        return record;
    }

    private static byte[] json(String text) {
        return ("\"" + text + "\"").getBytes(StandardCharsets.UTF_8);
    }

    /** Retention removes records. */
    void expire(int partition, long newStart) {
        start[partition] = Math.max(start[partition], Math.min(newStart, end(partition) + 1));
    }
}
