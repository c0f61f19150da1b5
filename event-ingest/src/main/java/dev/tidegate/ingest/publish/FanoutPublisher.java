package dev.tidegate.ingest.publish;

import dev.tidegate.ingest.config.FanoutSettings;
import dev.tidegate.ingest.publish.PublishOutcome.Failed;
import dev.tidegate.ingest.publish.PublishOutcome.Fault;
import dev.tidegate.ingest.publish.PublishOutcome.Stored;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.ErrorCode;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLongArray;
import org.apache.kafka.clients.producer.BufferExhaustedException;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.InvalidRecordException;
import org.apache.kafka.common.errors.InvalidTimestampException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.SerializationException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.kafka.core.KafkaProducerException;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.kafka.support.SendResult;

/**
 * Writes one event as one CloudEvent in the Kafka binding's binary mode, key = channel, partition = murmur2 of the key, as
 * any Java producer would. Any thread; never blocks: a full buffer or missing metadata is a failed outcome at once
 * ({@code max.block.ms = 0}). Events of one channel that one thread gives in order are stored in that order.
 */
public final class FanoutPublisher {
    private static final Logger log = LoggerFactory.getLogger(FanoutPublisher.class);

    /**
     * An acknowledgement that took longer may have been through a retry, and a recreated topic always costs one (the
     * broker refuses the old topic id; Kafka's {@code retry.backoff.ms} is 100 ms less 20%): its epoch is asked for again
     * before it is given out.
     */
    static final long SUSPICIOUS_ACK_NANOS = TimeUnit.MILLISECONDS.toNanos(75);

    private static final long LOOK_TIMEOUT_MILLIS = 1_000;

    private final KafkaTemplate<byte[], byte[]> kafka;
    private final FanoutTopic topic;
    private final EventRecords records;
    private final PublishMetrics metrics;
    private final BurstLog failures = new BurstLog(log);

    /** Highest acknowledged offset by partition: one that comes again means that the topic is another one. */
    private volatile AtomicLongArray acknowledged;

    public FanoutPublisher(
            KafkaTemplate<byte[], byte[]> kafka,
            FanoutTopic topic,
            EventRecords records,
            FanoutSettings fanout,
            PublishMetrics metrics) {
        this.kafka = kafka;
        this.topic = topic;
        this.records = records;
        this.metrics = metrics;
        this.acknowledged = unseen(fanout.partitions());
    }

    /**
     * Writes it; completes once Kafka has it on every in-sync replica, or will not have it.
     *
     * @param millis the record's time stamp
     */
    public CompletableFuture<PublishOutcome> publish(Event event, long millis) {
        if (!topic.wasReady()) {
            return CompletableFuture.completedFuture(new Failed(
                    ErrorCode.UNAVAILABLE, "starting: " + topic.view().detail(), false, Fault.BACKEND));
        }
        long start = System.nanoTime();
        CompletableFuture<SendResult<byte[], byte[]>> sent;
        try {
            sent = kafka.send(records.of(event, millis));
        } catch (RuntimeException e) {
            metrics.failed(System.nanoTime() - start);
            return CompletableFuture.completedFuture(failed(e, false));
        }
        boolean sentOn = !sent.isDone(); // else it has failed on the spot: no metadata, no room, too large
        CompletableFuture<PublishOutcome> outcome = new CompletableFuture<>();
        var _ = sent.whenComplete((result, error) -> {
            long took = System.nanoTime() - start;
            if (error != null) {
                metrics.failed(took);
                outcome.complete(failed(error, sentOn));
            } else {
                metrics.stored(took, event.payload().length);
                stored(result.getRecordMetadata(), took, outcome);
            }
        });
        return outcome;
    }

    private void stored(RecordMetadata at, long took, CompletableFuture<PublishOutcome> outcome) {
        boolean again = !advances(at.partition(), at.offset());
        String known = topic.view().epoch();
        if (known != null && !again && took < SUSPICIOUS_ACK_NANOS) {
            outcome.complete(new Stored(new Cursor(known, at.partition(), at.offset())));
            return;
        }
        var _ = topic.lookAgain()
                .copy() // ours to time out; others may wait for the same look
                .completeOnTimeout(topic.view(), LOOK_TIMEOUT_MILLIS, TimeUnit.MILLISECONDS)
                .thenAccept(view -> outcome.complete(stored(view, at)));
    }

    private static PublishOutcome stored(TopicView view, RecordMetadata at) {
        String epoch = view.epoch();
        // wasReady() has seen an epoch, and epochs do not go away.
        return epoch == null
                ? new Failed(ErrorCode.UNAVAILABLE, "the topic's id is unknown", true, Fault.EVENT)
                : new Stored(new Cursor(epoch, at.partition(), at.offset()));
    }

    /** Whether this offset is above all acknowledged before it in its partition; acknowledgements come in order. */
    private boolean advances(int partition, long offset) {
        AtomicLongArray seen = acknowledged;
        if (partition >= seen.length()) {
            AtomicLongArray larger = unseen(partition + 1);
            for (int i = 0; i < seen.length(); i++) {
                larger.set(i, seen.get(i));
            }
            acknowledged = larger;
            seen = larger;
        }
        long before = seen.getAndSet(partition, offset);
        return offset > before;
    }

    /** @param sent whether it had been given to the producer; if not, Kafka cannot have it */
    private PublishOutcome failed(Throwable error, boolean sent) {
        Throwable cause = error;
        while ((cause instanceof KafkaProducerException || cause instanceof org.springframework.kafka.KafkaException)
                && cause.getCause() != null) {
            cause = cause.getCause();
        }
        if (cause instanceof RecordTooLargeException) {
            return new Failed(ErrorCode.TOO_LARGE, "body: larger than the brokers take", false, Fault.EVENT);
        }
        if (cause instanceof InvalidRecordException
                || cause instanceof InvalidTimestampException
                || cause instanceof SerializationException) {
            return new Failed(
                    ErrorCode.BAD_REQUEST, "the brokers refuse the event: " + cause.getMessage(), false, Fault.EVENT);
        }
        failures.warn("Kafka did not take an event: " + cause);
        if (cause instanceof BufferExhaustedException) {
            return new Failed(
                    ErrorCode.UNAVAILABLE, "Kafka cannot take events now: too many wait for it", false, Fault.LOAD);
        }
        String message = sent ? "Kafka did not acknowledge the event in time" : "Kafka cannot take events now";
        return new Failed(ErrorCode.UNAVAILABLE, message, sent, Fault.BACKEND);
    }

    private static AtomicLongArray unseen(int partitions) {
        long[] none = new long[partitions];
        Arrays.fill(none, -1);
        return new AtomicLongArray(none);
    }
}
