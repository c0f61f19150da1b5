package dev.tidegate.replay.tiers;

import dev.tidegate.replay.archive.Coverage;
import org.jspecify.annotations.Nullable;

/**
 * Who has what comes next of a channel, where memory does not: the archive if it has looked at the offset, else Kafka if it still has it,
 * else nobody. Pure, so that every case can be tried.
 */
sealed interface Route {
    /** The archive has everything up to this offset. */
    record Archive(long upTo) implements Route {}

    /** Kafka is to be read up to this offset. */
    record Kafka(long upTo) implements Route {}

    /** Everything up to this offset is gone: a gap. */
    record Gone(long upTo) implements Route {}

    /** The archive may have it and cannot be asked: neither a gap nor the events can be told. */
    record Unknown() implements Route {}

    /**
     * The tiers behind memory, as one answer sees them.
     *
     * @param namespace of the channel
     * @param kept whether the channel is archived
     * @param coverage null if it is not known now
     * @param kafkaStart the partition's first offset in Kafka
     */
    record Tiers(
            int partition,
            String namespace,
            boolean kept,
            @Nullable Coverage coverage,
            long kafkaStart) {}

    /**
     * The next step.
     *
     * @param scanned up to where everything has been looked at
     * @param upTo up to where it is wanted; more than {@code scanned}
     */
    static Route next(long scanned, long upTo, Tiers t) {
        long want = scanned + 1;
        boolean inKafka = want >= t.kafkaStart();
        Coverage coverage = t.coverage();
        if (!t.kept()) {
            return inKafka ? new Kafka(upTo) : new Gone(t.kafkaStart() - 1);
        }
        if (coverage == null) {
            return inKafka ? new Kafka(upTo) : new Unknown();
        }
        long covered = coverage.coveredTo(t.partition(), t.namespace(), want);
        if (covered > want) {
            return new Archive(Math.min(upTo, covered - 1));
        }
        long resumes = coverage.nextAfter(t.partition(), t.namespace(), want);
        return inKafka ? new Kafka(Math.min(upTo, resumes - 1)) : new Gone(Math.min(t.kafkaStart(), resumes) - 1);
    }
}
