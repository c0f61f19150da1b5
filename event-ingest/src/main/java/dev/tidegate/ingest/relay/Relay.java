package dev.tidegate.ingest.relay;

import dev.tidegate.ingest.config.FanoutSettings;
import dev.tidegate.ingest.config.KafkaSettings;
import dev.tidegate.ingest.postgres.PostgresFailure;
import dev.tidegate.ingest.publish.BurstLog;
import dev.tidegate.ingest.publish.EventRecords;
import dev.tidegate.ingest.publish.Wakeup;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.apache.kafka.common.KafkaException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Moves the rows of a table into the fan-out topic, once and in order, however often it or another instance's relay is
 * killed on the way (ADR 113). One thread, from {@link #start} to {@link #close}.
 *
 * <pre>
 * state      on                                                            to
 * IDLE       there is work, and Kafka can be written                       HOLDING
 * HOLDING    another instance has the table                                IDLE, for a while
 * HOLDING    it is ours, Kafka says what was relayed last, that is gone    RELAYING
 * RELAYING   rows: written and committed, then deleted                     RELAYING
 * RELAYING   a row that cannot be read: marked, its channel passed over    RELAYING
 * RELAYING   no more work                                                  IDLE
 * RELAYING   only such rows are left, for a while                          IDLE, for a while
 * any        a failure, of PostgreSQL or Kafka                             IDLE, for a while; then all from the beginning
 * </pre>
 */
public final class Relay implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Relay.class);

    /** Between two looks for work; a call of {@link #wake} comes between. */
    private static final long LOOK_MILLIS = 500;

    /** Between two looks into an empty table that is still held: the next row may be on its way. */
    private static final long LINGER_MILLIS = 100;

    private static final long PAUSE_MILLIS = 1_000;
    /** Who only finds rows that it cannot read lets go of the table after this: another instance may be newer. */
    private static final long HAND_OVER_NANOS = 2_000_000_000L;

    private static final Duration END_WITHIN = Duration.ofSeconds(2);

    /** What the relay needs to know of the world, and tells it. Any thread; nothing blocks. */
    public interface Surroundings {
        /** Whether Kafka can be written. */
        boolean mayRelay();

        /** Whether there may be rows; asked before the table is taken, which is not for nothing. */
        boolean mayHaveRows();

        /** Kafka did not take them. */
        void failed(String why);

        /** Some were relayed. */
        void relayed();

        /** There is nothing left to relay. */
        void empty();
    }

    /** Bounds of one transaction. */
    public record Limits(int rows, long bytes) {}

    private final RelayTable table;
    private final Surroundings surroundings;
    private final EventRecords records;
    private final KafkaSettings kafka;
    private final FanoutSettings fanout;
    private final Limits limits;
    private final Counter relayed;
    private final Counter recovered;
    private final Counter failures;
    private final BurstLog failed = new BurstLog(log);
    private final Wakeup wakeup = new Wakeup();
    private volatile boolean closing;
    private @Nullable Thread thread;

    /** Not yet started. */
    public Relay(
            RelayTable table,
            Surroundings surroundings,
            EventRecords records,
            KafkaSettings kafka,
            FanoutSettings fanout,
            Limits limits,
            MeterRegistry meters) {
        this.table = table;
        this.surroundings = surroundings;
        this.records = records;
        this.kafka = kafka;
        this.fanout = fanout;
        this.limits = limits;
        this.relayed = counter(meters, "events", "Rows written into the fan-out topic");
        this.recovered = counter(meters, "recovered", "Rows that an earlier relay had written and not deleted");
        this.failures = counter(meters, "failures", "Attempts that Kafka or PostgreSQL ended");
    }

    private Counter counter(MeterRegistry meters, String name, String description) {
        return Counter.builder("tidegate.ingest.relay." + name)
                .description(description)
                .tag("table", table.name())
                .register(meters);
    }

    /** Starts the thread. */
    public void start() {
        thread = Thread.ofPlatform().daemon().name("relay-" + table.name()).start(this::run);
    }

    /** There may be work. Any thread. */
    public void wake() {
        wakeup.wake();
    }

    private void run() {
        try {
            while (!closing) {
                if (surroundings.mayRelay() && surroundings.mayHaveRows()) {
                    hold();
                }
                wakeup.await(LOOK_MILLIS);
            }
        } catch (InterruptedException e) {
            log.debug("The relay of {} ends", table.name());
        }
    }

    private void hold() throws InterruptedException {
        try {
            Optional<RelayTable.Held> held = table.hold();
            if (held.isPresent()) {
                boolean handOver;
                try (RelayTable.Held ours = held.get();
                        RelayLog relayLog = new RelayLog(kafka, fanout, table.name())) {
                    recover(ours, relayLog.begin());
                    handOver = relay(ours, relayLog);
                }
                if (handOver) {
                    Thread.sleep(PAUSE_MILLIS); // longer than others wait between two looks
                }
            }
        } catch (PostgresFailure e) {
            beginAgain("PostgreSQL", e);
        } catch (KafkaException e) {
            beginAgain("Kafka", e);
        } catch (RuntimeException e) {
            log.error("The relay of {} failed", table.name(), e);
            Thread.sleep(PAUSE_MILLIS);
        }
    }

    private void beginAgain(String whose, RuntimeException e) throws InterruptedException {
        if (closing || Thread.interrupted()) {
            throw new InterruptedException();
        }
        failures.increment();
        failed.warn("The relay of " + table.name() + " begins again: " + whose + ": " + e.getMessage());
        if (e instanceof KafkaException) {
            surroundings.failed("the relay could not write: " + e.getMessage());
        }
        Thread.sleep(PAUSE_MILLIS);
    }

    /** What an earlier relay has committed and not deleted is deleted now. */
    private void recover(RelayTable.Held ours, Optional<Position> last) {
        if (last.isEmpty()) {
            return;
        }
        Optional<String> there = ours.digest(last.get().last());
        if (there.isPresent() && there.get().equals(last.get().digest())) {
            int count = last.get().seqs().size();
            ours.delete(last.get().seqs());
            recovered.increment(count);
            log.info(
                    "{} rows of {} had been relayed before a relay ended; they are not relayed again",
                    count,
                    table.name());
        }
    }

    /** Returns whether another instance is to have the table for a while. */
    private boolean relay(RelayTable.Held ours, RelayLog relayLog) throws InterruptedException {
        long idleSince = System.nanoTime();
        while (!closing && surroundings.mayRelay()) {
            RelayTable.Next next = ours.next(limits.rows(), limits.bytes());
            next.unread().forEach(ours::passOver); // before anything that follows them could be taken for the next
            List<RelayRow> rows = Position.fitting(next.rows());
            if (rows.isEmpty()) {
                if (System.nanoTime() - idleSince >= HAND_OVER_NANOS && ours.keepsUnread()) {
                    return true;
                }
                if (next.unread().isEmpty()) {
                    surroundings.empty();
                    wakeup.await(LINGER_MILLIS);
                }
                continue;
            }
            Position position = Position.of(rows);
            try {
                relayLog.write(
                        rows.stream()
                                .map(row -> records.of(row.event(), row.millis()))
                                .toList(),
                        position);
            } catch (RelayLog.Refused e) {
                setAside(ours, rows.get(e.index), e);
                return false; // and begin again: the transaction is spoilt
            }
            ours.delete(position.seqs());
            relayed.increment(rows.size());
            idleSince = System.nanoTime();
            surroundings.relayed();
        }
        return false;
    }

    private void setAside(RelayTable.Held ours, RelayRow row, RelayLog.Refused e) {
        log.error(
                "Event {} of channel {} can never be written ({}); it stays in {} and is passed over",
                row.event().id(),
                row.event().channel(),
                e.getMessage(),
                table.name());
        ours.setAside(row.seq(), String.valueOf(e.getMessage()));
        wake();
    }

    @Override
    public void close() {
        closing = true;
        Thread t = thread;
        if (t != null) {
            t.interrupt();
            try {
                var _ = t.join(END_WITHIN);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
