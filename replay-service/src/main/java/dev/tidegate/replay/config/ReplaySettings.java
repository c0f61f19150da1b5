package dev.tidegate.replay.config;

import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;

/**
 * What belongs to the replay service alone.
 *
 * @param maxWait how long a request waits until the service has read up to its {@code upTo}; then {@code unavailable}
 * @param topicCheck how often it is looked whether the topic is still the same, and where it starts: the age up to which a
 *     recreated topic or shortened retention goes unnoticed
 * @param recent the part of the topic that is kept in memory
 * @param page bounds of the answer to one request
 * @param scan how Kafka is read for what memory does not hold
 * @param archive events beyond Kafka's retention, of the namespaces that ask for it
 * @param admission how many calls are served at once
 */
@ConfigurationProperties(value = "tidegate.replay", ignoreUnknownFields = false)
public record ReplaySettings(
        @DefaultValue("2s") Duration maxWait,
        @DefaultValue("1s") Duration topicCheck,
        @DefaultValue Recent recent,
        @DefaultValue Page page,
        @DefaultValue Scan scan,
        @DefaultValue Archive archive,
        @DefaultValue Admission admission) {
    public ReplaySettings {
        InvalidSetting.unlessBetween("tidegate.replay.max-wait", maxWait, Duration.ofMillis(10), Duration.ofMinutes(1));
        InvalidSetting.unlessBetween(
                "tidegate.replay.topic-check", topicCheck, Duration.ofMillis(100), Duration.ofMinutes(1));
    }

    /**
     * The part of the topic that is kept in memory.
     *
     * @param bytes for all partitions together, outside the heap; the table that leads to each channel's newest event comes to
     *     32 to 110 bytes of heap per channel on top
     * @param fill whether it is filled from Kafka before the service is ready; if not, it starts at the end of the log
     */
    public record Recent(
            @DefaultValue("256MB") DataSize bytes,
            @DefaultValue("true") boolean fill) {
        public Recent {
            InvalidSetting.unlessBetween("tidegate.replay.recent.bytes", bytes, 1 << 17, 16L << 30);
        }
    }

    /**
     * Bounds of the answer to one request; a page that hit one ends with {@code complete: false} and a cursor to go on from.
     *
     * @param maxEvents most events, whatever the request's {@code limit} says
     * @param maxBytes about how many bytes; the event that crosses it is still in
     */
    public record Page(
            @DefaultValue("1000") int maxEvents,
            @DefaultValue("1MB") DataSize maxBytes) {
        public Page {
            InvalidSetting.unlessBetween("tidegate.replay.page.max-events", maxEvents, 1, 100_000);
            InvalidSetting.unlessBetween("tidegate.replay.page.max-bytes", maxBytes, 1024, 64 << 20);
        }
    }

    /**
     * How Kafka is read for what memory does not hold.
     *
     * @param concurrent most scans at once, each with a consumer of its own
     * @param queue most requests waiting for a scan; more are refused as {@code unavailable}
     * @param queueWait how long a request waits for a scan
     * @param maxTime how long a scan lasts; then its pages end where it has got to, so that others have their turn
     * @param stall a scan that makes no progress for so long is given up as {@code unavailable}
     * @param joinDistance requests whose starts lie at most so many offsets apart share a scan
     * @param buffers bytes of pages that scans have found and that have not been sent yet, all together
     * @param fetchBytes most bytes fetched from Kafka at a time, per scan
     * @param lastRecords how many records {@code last} searches back in Kafka for what memory lacks
     */
    public record Scan(
            @DefaultValue("4") int concurrent,
            @DefaultValue("10000") int queue,
            @DefaultValue("5s") Duration queueWait,
            @DefaultValue("5s") Duration maxTime,
            @DefaultValue("3s") Duration stall,
            @DefaultValue("500000") long joinDistance,
            @DefaultValue("64MB") DataSize buffers,
            @DefaultValue("2MB") DataSize fetchBytes,
            @DefaultValue("20000") int lastRecords) {
        public Scan {
            String p = "tidegate.replay.scan.";
            InvalidSetting.unlessBetween(p + "concurrent", concurrent, 1, 64);
            InvalidSetting.unlessBetween(p + "queue", queue, 1, 1_000_000);
            InvalidSetting.unlessBetween(p + "queue-wait", queueWait, Duration.ofMillis(10), Duration.ofMinutes(5));
            InvalidSetting.unlessBetween(p + "max-time", maxTime, Duration.ofMillis(50), Duration.ofMinutes(5));
            InvalidSetting.unlessBetween(p + "stall", stall, Duration.ofMillis(100), Duration.ofMinutes(5));
            InvalidSetting.unlessBetween(p + "join-distance", joinDistance, 0, Long.MAX_VALUE / 2);
            InvalidSetting.unlessBetween(p + "buffers", buffers, 1 << 16, 16L << 30);
            InvalidSetting.unlessBetween(p + "fetch-bytes", fetchBytes, 1 << 16, 64 << 20);
            InvalidSetting.unlessBetween(p + "last-records", lastRecords, 0, 100_000_000);
        }
    }

    /**
     * Events beyond Kafka's retention, in PostgreSQL.
     *
     * @param retention how long a day's events are kept after the day; whole days
     * @param batchEvents a batch is written when it holds so many events
     * @param batchBytes or so many bytes; what one poll of Kafka brings may come on top
     * @param linger or when its first record has waited for so long
     * @param reads most queries for pages at once, of {@code tidegate.postgres.connections}
     * @param readGather most requests that share a query, of those that wait while all queries are at work; 1: none do
     * @param readQueue most requests waiting for a query; more are told {@code unavailable}, or read Kafka if that has what they need
     * @param readQueueWait how long a request waits for a query
     * @param readBuffers bytes of pages that were read and have not been sent yet, all together; beyond that pages are short, and at
     *     twice that nothing more is read
     */
    public record Archive(
            @DefaultValue("90d") Duration retention,
            @DefaultValue("5000") int batchEvents,
            @DefaultValue("4MB") DataSize batchBytes,
            @DefaultValue("500ms") Duration linger,
            @DefaultValue("4") int reads,
            @DefaultValue("128") int readGather,
            @DefaultValue("10000") int readQueue,
            @DefaultValue("5s") Duration readQueueWait,
            @DefaultValue("32MB") DataSize readBuffers) {
        public Archive {
            String p = "tidegate.replay.archive.";
            if (retention.compareTo(Duration.ofDays(1)) < 0
                    || retention.compareTo(Duration.ofDays(3650)) > 0
                    || !retention.equals(Duration.ofDays(retention.toDays()))) {
                throw new InvalidSetting(p + "retention", retention, "whole days, 1d to 3650d");
            }
            InvalidSetting.unlessBetween(p + "batch-events", batchEvents, 1, 100_000);
            InvalidSetting.unlessBetween(p + "batch-bytes", batchBytes, 1024, 64 << 20);
            InvalidSetting.unlessBetween(p + "linger", linger, Duration.ZERO, Duration.ofMinutes(1));
            InvalidSetting.unlessBetween(p + "reads", reads, 1, 64);
            InvalidSetting.unlessBetween(p + "read-gather", readGather, 1, 1024);
            InvalidSetting.unlessBetween(p + "read-queue", readQueue, 1, 1_000_000);
            // Not longer: a read goes by what was covered when it was asked for, and an expired day stays only so long.
            InvalidSetting.unlessBetween(
                    p + "read-queue-wait", readQueueWait, Duration.ofMillis(10), Duration.ofSeconds(20));
            InvalidSetting.unlessBetween(p + "read-buffers", readBuffers, 1 << 16, 16L << 30);
        }
    }

    /**
     * How many calls are served at once; gateways' calls and people's reads do not take each other's places.
     *
     * @param calls most of the gateways' calls at once
     * @param callQueue most of them waiting for their turn; more are refused with 503
     * @param reads most of people's reads at once
     * @param readQueue most of them waiting for their turn
     * @param open most of people's reads not yet sent, 1 MB each at most; they hold a place among {@code reads} only while a page, or
     *     a chunk of a stream, is made, so that who is slow or wants very much keeps nobody waiting
     * @param queueWait how long one waits; then it is refused with 503
     * @param maxBody largest body of a call: 1,024 requests of channels with 255 bytes and two cursors
     * @param bodyTimeout how long a request's head may take to arrive whole, and then its body; then {@code 408}
     */
    public record Admission(
            @DefaultValue("64") int calls,
            @DefaultValue("256") int callQueue,
            @DefaultValue("32") int reads,
            @DefaultValue("256") int readQueue,
            @DefaultValue("512") int open,
            @DefaultValue("5s") Duration queueWait,
            @DefaultValue("1MB") DataSize maxBody,
            @DefaultValue("10s") Duration bodyTimeout) {
        public Admission {
            String p = "tidegate.replay.admission.";
            InvalidSetting.unlessBetween(p + "calls", calls, 1, 10_000);
            InvalidSetting.unlessBetween(p + "call-queue", callQueue, 0, 100_000);
            InvalidSetting.unlessBetween(p + "reads", reads, 1, 10_000);
            InvalidSetting.unlessBetween(p + "read-queue", readQueue, 0, 100_000);
            InvalidSetting.unlessBetween(p + "open", open, 1, 10_000);
            InvalidSetting.unlessBetween(p + "queue-wait", queueWait, Duration.ofMillis(1), Duration.ofMinutes(5));
            InvalidSetting.unlessBetween(p + "max-body", maxBody, 1024, 64 << 20);
            InvalidSetting.unlessBetween(
                    p + "body-timeout", bodyTimeout, Duration.ofMillis(100), Duration.ofMinutes(10));
        }
    }
}
