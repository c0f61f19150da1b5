package dev.tidegate.replay.archive;

import dev.tidegate.replay.kafka.FanoutTopic;
import dev.tidegate.replay.postgres.Postgres;
import java.time.Clock;
import java.time.Duration;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Asks what is covered, every so often, and sweeps the days. A thread of its own, since dropping a day may wait for a lock and PostgreSQL
 * may be away; what it knows is read by any.
 */
public final class ArchiveKeeper implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(ArchiveKeeper.class);

    /** Older coverage is not gone by: PostgreSQL is away. */
    static final Duration MAX_AGE = Duration.ofSeconds(15);

    /** How long an expired day stays: longer than a read that began with the oldest coverage may last. */
    static final Duration GRACE = MAX_AGE.plus(ArchiveReads.READ_WITHIN).plusSeconds(30);

    private static final Duration SWEEP = Duration.ofMinutes(1);
    private static final Duration BLOCK = Duration.ofSeconds(60);

    private final Postgres postgres;
    private final ArchiveStore store;
    private final ArchiveDays days;
    private final Supplier<@Nullable FanoutTopic> topic;
    private final Clock clock;
    private final Duration interval;
    private final Thread thread;
    private final CountDownLatch stopping = new CountDownLatch(1);
    private long sweepAt = System.nanoTime(); // the thread's own

    private volatile @Nullable Coverage coverage;

    /**
     * A keeper; {@link #start} starts it.
     *
     * @param interval how often it asks what is covered
     */
    public ArchiveKeeper(
            Postgres postgres,
            Duration retention,
            Duration interval,
            Supplier<@Nullable FanoutTopic> topic,
            Clock clock) {
        this.postgres = postgres;
        this.store = new ArchiveStore(postgres);
        this.days = new ArchiveDays(postgres, retention, GRACE);
        this.topic = topic;
        this.clock = clock;
        this.interval = interval;
        this.thread = Thread.ofPlatform().daemon().name("replay-archive-keeper").unstarted(this::run);
    }

    /** Starts it. */
    public void start() {
        thread.start();
    }

    /** What is covered of this topic; null if that is not known now. */
    public @Nullable Coverage coverage(String epoch) {
        Coverage c = coverage;
        return c != null && c.epoch().equals(epoch) && System.nanoTime() - c.asOf() < MAX_AGE.toNanos() ? c : null;
    }

    private void run() {
        try {
            do {
                FanoutTopic now = topic.get();
                if (now != null && postgres.prepared()) {
                    look(now);
                }
            } while (!stopping.await(interval.toMillis(), TimeUnit.MILLISECONDS));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void look(FanoutTopic now) {
        try {
            coverage = Objects.requireNonNull(store.coverage(now.epoch()).block(BLOCK));
            if (System.nanoTime() - sweepAt >= 0) {
                days.sweep(LocalDate.ofInstant(clock.instant(), ZoneOffset.UTC)).block(BLOCK);
                sweepAt = System.nanoTime() + SWEEP.toNanos();
            }
        } catch (RuntimeException e) {
            log.debug(
                    "The archive could not be looked at", e); // that PostgreSQL is away is told once, by its own class
        }
    }

    @Override
    public void close() {
        stopping.countDown();
        thread.interrupt();
        try {
            thread.join(Duration.ofSeconds(5));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
