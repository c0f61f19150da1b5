package dev.tidegate.ingest.delivery;

import dev.tidegate.ingest.config.RedisTierSettings.Policy;
import dev.tidegate.ingest.delivery.KafkaState.Sight;
import dev.tidegate.ingest.delivery.KafkaState.Spool;
import dev.tidegate.ingest.delivery.KafkaState.State;
import dev.tidegate.ingest.delivery.Outstanding.Write;
import dev.tidegate.ingest.publish.Event;
import dev.tidegate.ingest.publish.PublishOutcome;
import dev.tidegate.ingest.publish.PublishOutcome.Failed;
import dev.tidegate.ingest.publish.PublishOutcome.Fault;
import dev.tidegate.protocol.ErrorCode;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes checked events and sees to it that they get where they are to go: durable ones to Kafka or, while it cannot be
 * written, to the spool (ADR 111), with a copy on Redis as the policy says; ephemeral ones to Redis alone (ADR 110).
 *
 * <p>{@link #deliver} is for any thread and never blocks. A thread of this class looks at Kafka's state ten times a second;
 * a transition excludes all deliveries for its moment, so every event is wholly before or wholly after it.
 */
public final class Deliveries implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Deliveries.class);

    private static final long LOOK_MILLIS = 100;

    /** How often the topic is looked at while Kafka is not healthy: Kafka's return is noticed within it. */
    private static final long LOOK_AGAIN_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

    private final DirectPath kafka;
    private final CopyPath redis;
    private final SpoolQueue spool;
    private final Policy policy;
    private final Set<String> ephemeral;
    private final LongSupplier clock;
    private final KafkaState machine;
    private final Outstanding outstanding = new Outstanding();

    /** Not empty while CLOSING only, a second at most; bounded by the requests that an instance takes at once. */
    private final Queue<Parked> parked = new ConcurrentLinkedQueue<>();

    private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();
    private final List<Runnable> whenChanged = new CopyOnWriteArrayList<>();
    private final AtomicBoolean lookQueued = new AtomicBoolean();
    private final ScheduledExecutorService controller = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("deliveries").factory());
    private final CompletableFuture<Void> firstDirect = new CompletableFuture<>();

    private volatile State state; // what the machine says; written under the lock
    private volatile String cause;
    private volatile Spool spoolSight = Spool.UNKNOWN;
    private volatile long acknowledgedAt;
    private final AtomicInteger keeping = new AtomicInteger(); // events on their way into the spool
    private final AtomicInteger keepingBehindHeld = new AtomicInteger(); // and besides, behind what is held up there
    private volatile Set<String> heldUp = Set.of(); // written under the lock; bounded by whoever tells it
    private volatile boolean aborting;
    private volatile boolean producerReady; // counts only while spooling
    private long lookedAgainAt; // by the controller alone

    /**
     * Not yet started; takes events all the same, into the spool.
     *
     * @param ephemeral namespaces whose events go to Redis only
     * @param clock nanoseconds, only moving on
     */
    public Deliveries(
            DirectPath kafka,
            CopyPath redis,
            SpoolQueue spool,
            Policy policy,
            Set<String> ephemeral,
            Limits limits,
            LongSupplier clock) {
        this.kafka = kafka;
        this.redis = redis;
        this.spool = spool;
        this.policy = policy;
        this.ephemeral = Set.copyOf(ephemeral);
        this.clock = clock;
        this.machine = new KafkaState(
                new KafkaState.Limits(limits.suspectAfter(), limits.deliveryTimeout(), limits.orderPatience()));
        this.state = machine.state();
        this.cause = machine.cause();
        this.acknowledgedAt = clock.getAsLong();
    }

    /**
     * Bounds of time.
     *
     * @param suspectAfter a write unacknowledged for so long is a symptom
     * @param deliveryTimeout and for so long, a failure
     * @param orderPatience how long order is kept while the spool has events and PostgreSQL does not answer
     */
    public record Limits(Duration suspectAfter, Duration deliveryTimeout, Duration orderPatience) {}

    /** Begins to look at Kafka. */
    public void start() {
        var _ = controller.scheduleWithFixedDelay(this::look, 0, LOOK_MILLIS, TimeUnit.MILLISECONDS);
    }

    /** Takes an event. Events of one channel that one thread gives in order are stored in that order. */
    public CompletableFuture<PublishOutcome> deliver(Event event) {
        long millis = System.currentTimeMillis();
        if (ephemeral.contains(event.channel().namespace())) {
            return redis.send(kafka.partition(event), event, millis);
        }
        lock.readLock().lock();
        try {
            State now = state;
            return switch (now) {
                case HEALTHY, SUSPECT -> pass(event, millis, now);
                case SPOOLING, DRAINING -> keep(event, millis, false, false);
                case CLOSING -> park(event, millis);
            };
        } finally {
            lock.readLock().unlock();
        }
    }

    /** An event that waits for the end of the spool; bounded as the outstanding writes are, and by a second. */
    private record Parked(Event event, long millis, CompletableFuture<PublishOutcome> answer) {}

    private CompletableFuture<PublishOutcome> park(Event event, long millis) {
        Parked p = new Parked(event, millis, new CompletableFuture<>());
        parked.add(p);
        return p.answer;
    }

    /** To Kafka, unless older events of the channel are held up in the spool (ADR 113). */
    private CompletableFuture<PublishOutcome> pass(Event event, long millis, State now) {
        return heldUp.contains(event.channel().value()) ? keepBehindHeld(event, millis) : write(event, millis, now);
    }

    private CompletableFuture<PublishOutcome> write(Event event, long millis, State now) {
        Write w = outstanding.add(event, millis, clock.getAsLong());
        w.copied = policy == Policy.ALWAYS || (policy == Policy.ON_KAFKA_FAILURE && now != State.HEALTHY);
        CompletableFuture<PublishOutcome> written = kafka.write(event, millis);
        if (written.isDone() && written.join() instanceof Failed) {
            w.copied = false; // refused on the spot: nobody must see it unless it is kept
        } else if (w.copied) {
            redis.copy(kafka.partition(event), event, millis);
        }
        var _ = written.whenComplete((outcome, error) -> {
            if (outcome != null) {
                answered(w, outcome);
            } else {
                answered(w, new Failed(ErrorCode.INTERNAL, String.valueOf(error), true, Fault.BACKEND));
            }
        });
        return w.answer;
    }

    /** Kafka has spoken, on its producer's thread or on the publisher's. */
    private void answered(Write w, PublishOutcome outcome) {
        if (outcome instanceof Failed f && toBeKept(f)) {
            w.failed = f; // with all others of its time, in order
            lookSoon();
            return;
        }
        if (!w.end()) {
            return; // taken over: it has its row in the spool
        }
        outstanding.remove(w);
        if (outcome instanceof PublishOutcome.Stored) {
            acknowledgedAt = clock.getAsLong();
        }
        w.answer.complete(outcome);
    }

    /** Whether a failure is Kafka's. A full buffer is load while Kafka acknowledges, and Kafka's failure while it does not. */
    private boolean toBeKept(Failed f) {
        return f.fault() == Fault.BACKEND || (f.fault() == Fault.LOAD && state != State.HEALTHY);
    }

    private CompletableFuture<PublishOutcome> keep(Event event, long millis, boolean doubtful, boolean copied) {
        keeping.incrementAndGet();
        return spool.keep(event, millis, doubtful).thenApply(kept -> {
            if (kept == SpoolQueue.Kept.COMMITTED || kept == SpoolQueue.Kept.IN_DOUBT) {
                machine.spooled();
                if (spoolSight == Spool.CLEAR) {
                    spoolSight = Spool.ROWS; // what the watch saw was before
                }
            }
            keeping.decrementAndGet();
            return kept(event, millis, doubtful, copied, kept);
        });
    }

    /** Tells nobody that the spool has rows: those that are held up are nothing that the others wait for. */
    private CompletableFuture<PublishOutcome> keepBehindHeld(Event event, long millis) {
        if (!spool.roomBehindHeld()) {
            return CompletableFuture.completedFuture(new Failed(
                    ErrorCode.UNAVAILABLE,
                    "older events of the channel cannot be relayed, and the spool has no room for more behind them",
                    false,
                    Fault.BACKEND));
        }
        keepingBehindHeld.incrementAndGet();
        return spool.keep(event, millis, false).thenApply(kept -> {
            keepingBehindHeld.decrementAndGet();
            return kept(event, millis, false, false, kept);
        });
    }

    private PublishOutcome kept(Event event, long millis, boolean doubtful, boolean copied, SpoolQueue.Kept kept) {
        if (kept == SpoolQueue.Kept.COMMITTED) {
            if (!copied && policy != Policy.OFF) {
                redis.copy(kafka.partition(event), event, millis);
            }
            return new PublishOutcome.Spooled();
        }
        String why = switch (kept) {
            case AWAY -> "Kafka cannot take events now, and there is no spool now to keep them";
            case FULL -> "Kafka cannot take events now, and the spool is full";
            case LATE -> "Kafka cannot take events now, and the spool did not take it in time";
            case IN_DOUBT -> "Kafka cannot take events now, and the spool did not confirm it";
            case COMMITTED -> throw new IllegalStateException("decided above");
        };
        return new Failed(ErrorCode.UNAVAILABLE, why, doubtful || kept == SpoolQueue.Kept.IN_DOUBT, Fault.BACKEND);
    }

    private void lookSoon() {
        if (lookQueued.compareAndSet(false, true)) {
            try {
                controller.execute(this::look);
            } catch (RejectedExecutionException e) {
                log.debug("Not looked at: closing");
            }
        }
    }

    private void look() {
        lookQueued.set(false);
        try {
            if (state == State.SPOOLING) {
                producerReady = kafka.seen() && !aborting && kafka.ready();
            }
            Failed failed = outstanding.anyFailed();
            step(failed == null ? () -> {} : () -> machine.failed(clock.getAsLong(), failed.message()));
            long now = clock.getAsLong();
            if (state != State.HEALTHY && now - lookedAgainAt >= LOOK_AGAIN_NANOS) {
                lookedAgainAt = now;
                kafka.lookAgain();
            }
        } catch (RuntimeException e) {
            log.error("Looking at Kafka's state failed", e);
        }
    }

    /** Another instance has to spool. When this returns, no new event passes the spool by. */
    public void spoolBusy() {
        see(Spool.BUSY);
    }

    /** The spool has rows. When this returns, no new event passes it by. */
    public void spoolHasRows() {
        see(Spool.ROWS);
    }

    /** The spool is nearly empty: new events wait, for a moment, until it is. */
    public void spoolNearlyEmpty() {
        step(() -> machine.close(clock.getAsLong()));
    }

    /** The spool is empty and the floor is ours. */
    public void spoolClear() {
        see(Spool.CLEAR);
    }

    /** The spool cannot be asked. */
    public void spoolAway() {
        see(Spool.AWAY);
    }

    /**
     * Channels that are held up: events of these follow what is in the spool, whatever the state. When this returns, none
     * passes it by.
     */
    public void spoolHolds(Set<String> channels) {
        if (channels.equals(heldUp)) {
            return; // nearly always: both are empty
        }
        lock.writeLock().lock();
        try {
            Set<String> now = new HashSet<>(channels);
            if (keeping.get() + keepingBehindHeld.get() > 0) {
                now.addAll(heldUp); // one of theirs may not have been committed when that was asked
            }
            heldUp = Set.copyOf(now);
        } finally {
            lock.writeLock().unlock();
        }
    }

    private void see(Spool now) {
        step(() -> {
            // While spooling we do not hold the floor, whatever was seen a moment ago.
            spoolSight = now == Spool.CLEAR && machine.state() == State.SPOOLING ? Spool.EMPTY : now;
        });
    }

    /** The spool is empty, and the floor is not ours. */
    public void spoolEmpty() {
        see(Spool.EMPTY);
    }

    /** The relay could not write: that is Kafka's failure. */
    public void relayFailed(String why) {
        step(() -> {
            if (mayRelay()) {
                machine.failed(clock.getAsLong(), why);
            }
        });
    }

    /** The relay wrote some. */
    public void relayed() {
        step(machine::relayed);
    }

    /** Feeds the machine and does what a transition asks for. */
    private void step(Runnable input) {
        State before;
        State after;
        boolean takenOver = false;
        lock.writeLock().lock();
        try {
            before = machine.state();
            input.run();
            long now = clock.getAsLong();
            after = machine.look(new Sight(
                    now,
                    kafka.seen(),
                    producerReady && !aborting,
                    outstanding.oldestAge(now),
                    acknowledgedAt,
                    keeping.get() > 0 && spoolSight == Spool.CLEAR ? Spool.EMPTY : spoolSight));
            state = after;
            cause = machine.cause();
            if (after == State.SPOOLING && before != State.SPOOLING) {
                producerReady = false;
                aborting = true; // until it is done, below
                if (spoolSight == Spool.CLEAR) {
                    spoolSight = Spool.EMPTY; // from now on we spool, and so give up the floor
                }
                takeOver();
                takenOver = true;
            }
            if (after != State.CLOSING) {
                unpark(after);
            }
        } finally {
            lock.writeLock().unlock();
        }
        if (takenOver) {
            Thread.ofVirtual().name("abort-producer").start(this::abort);
        }
        if (before != after) {
            changed(before, after);
        }
    }

    /** Every outstanding write goes to the spool, in the order in which it was given to Kafka. */
    private void takeOver() {
        for (Write w : outstanding.inOrder()) {
            if (w.end()) {
                outstanding.remove(w);
                var _ = keep(w.event, w.millis, w.doubtful(), w.copied).thenAccept(w.answer::complete);
            }
        }
    }

    /** What has waited goes on, in its order, before anything that comes now. */
    private void unpark(State after) {
        for (Parked p = parked.poll(); p != null; p = parked.poll()) {
            CompletableFuture<PublishOutcome> answer = p.answer;
            var _ = (after.direct() ? pass(p.event, p.millis, after) : keep(p.event, p.millis, false, false))
                    .thenAccept(answer::complete);
        }
    }

    /** So that what the producer still holds is not written behind the relay's back. */
    private void abort() {
        try {
            kafka.abort();
        } catch (RuntimeException e) {
            log.warn("The producer could not be aborted: {}", e.toString());
        } finally {
            aborting = false;
        }
    }

    private void changed(State before, State after) {
        boolean passing = after == State.SUSPECT || after == State.CLOSING || before == State.CLOSING;
        if ((passing && after != State.HEALTHY) || (before == State.SUSPECT && after == State.HEALTHY)) {
            log.debug("Kafka: {} -> {}: {}", before, after, cause);
        } else if (after == State.SPOOLING) {
            log.warn("Kafka cannot be written, events are spooled: {}", cause);
        } else {
            log.info("Kafka: {} -> {}: {}", before, after, cause);
        }
        if (after == State.SUSPECT && policy == Policy.ON_KAFKA_FAILURE) {
            for (Write w : outstanding.inOrder()) {
                if (!w.copied) {
                    w.copied = true;
                    redis.copy(kafka.partition(w.event), w.event, w.millis);
                }
            }
        }
        if (after.direct()) {
            firstDirect.complete(null);
        }
        whenChanged.forEach(Runnable::run);
    }

    /** Calls this after each transition, on whatever thread made it; must return at once. */
    public void onChange(Runnable action) {
        whenChanged.add(action);
    }

    /** Whether this instance wants to pass the spool by, and so to hold the floor (ADR 114). */
    public boolean wantsFloor() {
        return state != State.SPOOLING;
    }

    /** Whether the relay may run here. */
    public boolean mayRelay() {
        State now = state;
        return now == State.DRAINING || now == State.CLOSING;
    }

    /** Whether events wait for the end of the spool. */
    public boolean closing() {
        return state == State.CLOSING;
    }

    /** Events on their way into the spool. */
    public int keeping() {
        return keeping.get();
    }

    /** Whether a durable event would be taken now. */
    public boolean takes() {
        State now = state;
        return now.direct() || now == State.CLOSING || spool.usable();
    }

    /** Whether durable events go to Kafka. */
    public boolean direct() {
        return state.direct();
    }

    /** Whether durable events have gone to Kafka since the start. */
    public boolean wasDirect() {
        return firstDirect.isDone();
    }

    /** The state's name, for people and metrics. */
    public String stateName() {
        return state.name().toLowerCase(Locale.ROOT);
    }

    /** Names of all states. */
    public static List<String> stateNames() {
        return Arrays.stream(State.values())
                .map(s -> s.name().toLowerCase(Locale.ROOT))
                .toList();
    }

    /** Why it is in that state; for people. */
    public String cause() {
        return cause;
    }

    /** Writes that Kafka has not yet acknowledged. */
    public int unacknowledged() {
        return outstanding.size();
    }

    /** Waits until durable events go to Kafka for the first time, so long at most. */
    public void awaitDirect(Duration most) throws InterruptedException {
        try {
            firstDirect.get(most.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException | ExecutionException e) {
            log.info("Not writing to Kafka yet: {}", cause);
        }
    }

    @Override
    public void close() {
        controller.shutdownNow();
    }
}
