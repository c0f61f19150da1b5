package dev.tidegate.ingest.publish;

import dev.tidegate.ingest.config.FanoutSettings;
import dev.tidegate.ingest.publish.TopicView.Status;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.Epoch;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicIdException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.utils.Utils;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The fan-out topic as this instance knows it: made at the start if it is missing, then looked at every few seconds (one
 * small request), because its id is the epoch of every cursor we give out, and because that look is also the check that
 * Kafka is there. It is not made again when somebody deletes it later: who deletes a topic of record usually wants to
 * make the next one himself.
 *
 * <p>One virtual thread does all of it; the getters are for any thread.
 */
public final class FanoutTopic implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(FanoutTopic.class);

    private static final Duration CALL_TIMEOUT = Duration.ofSeconds(3);
    private static final Duration RETRY_AT_START = Duration.ofMillis(500);
    private static final Duration QUIET_AT_START = Duration.ofSeconds(1);
    private static final Duration PROGRESS_EVERY = Duration.ofSeconds(5);

    /** Between two looks, however many ask for one: bounds what a burst of late acknowledgements costs. */
    private static final long PAUSE_MILLIS = 10;

    private final Supplier<Admin> connect;
    private final FanoutSettings settings;
    private final String bootstrap;
    private final Duration watchInterval;
    private final BooleanSupplier producerIsWarm;

    private final CompletableFuture<TopicView> ready = new CompletableFuture<>();
    private final Wakeup wakeup = new Wakeup();
    private final Object lock = new Object();
    private final AtomicLong epochChanges = new AtomicLong();
    private final List<Runnable> whenRecreated = new CopyOnWriteArrayList<>();
    private final List<Runnable> whenGrown = new CopyOnWriteArrayList<>();
    private CompletableFuture<TopicView> nextLook = new CompletableFuture<>(); // guarded by lock
    private volatile TopicView view;
    private volatile boolean closing;
    private @Nullable Thread thread;

    /**
     * Not yet started.
     *
     * @param connect makes the client that is kept for the life of this object; may throw
     * @param bootstrap where Kafka is, for messages
     * @param watchInterval time between two looks
     * @param producerIsWarm whether the producer knows the topic, so that it can write without waiting for metadata
     */
    public FanoutTopic(
            Supplier<Admin> connect,
            FanoutSettings settings,
            String bootstrap,
            Duration watchInterval,
            BooleanSupplier producerIsWarm) {
        this.connect = connect;
        this.settings = settings;
        this.bootstrap = bootstrap;
        this.watchInterval = watchInterval;
        this.producerIsWarm = producerIsWarm;
        this.view = new TopicView(Status.STARTING, null, 0, "not yet looked at");
    }

    /** Starts the thread. */
    public void start() {
        thread = Thread.ofVirtual().name("fanout-topic").start(this::run);
    }

    /** What is known now. */
    public TopicView view() {
        return view;
    }

    /** The partition that a channel's events are in: Kafka's own murmur2; by the configured number until it was seen. */
    public int partitionOf(ChannelName channel) {
        int known = view.partitions();
        return Utils.toPositive(Utils.murmur2(channel.bytes())) % (known > 0 ? known : settings.partitions());
    }

    /** How often the topic turned out to be another one than before. */
    public long epochChanges() {
        return epochChanges.get();
    }

    /** Calls this, on the thread of the watch, each time the topic turns out to be another one; must return soon. */
    public void onRecreated(Runnable action) {
        whenRecreated.add(action);
    }

    /** The same each time that it has more partitions than before, so that channels have moved. */
    public void onGrown(Runnable action) {
        whenGrown.add(action);
    }

    /** Whether the topic has been seen since the start, and the service may so take events. */
    public boolean wasReady() {
        return ready.isDone() && !ready.isCompletedExceptionally();
    }

    /**
     * Waits until events can be written for the first time.
     *
     * @throws StartFailure if that cannot be
     */
    public TopicView awaitReady() throws InterruptedException {
        try {
            return ready.get();
        } catch (ExecutionException e) {
            throw e.getCause() instanceof StartFailure f ? f : new IllegalStateException(e.getCause());
        }
    }

    /** Asks for a look that starts after this call; completes with what it saw. */
    public CompletableFuture<TopicView> lookAgain() {
        CompletableFuture<TopicView> look;
        synchronized (lock) {
            look = nextLook;
        }
        wakeup.wake();
        return look;
    }

    @Override
    public void close() {
        closing = true;
        Thread t = thread;
        if (t != null) {
            t.interrupt();
        }
    }

    private void run() {
        Progress progress = new Progress();
        try (Admin admin = connected(progress)) {
            firstContact(admin, progress);
            ready.complete(view);
            while (!closing) {
                wakeup.await(watchInterval.toMillis());
                look(admin);
                Thread.sleep(PAUSE_MILLIS);
            }
        } catch (InterruptedException e) {
            ready.completeExceptionally(new StartFailure("stopped while waiting for Kafka at " + bootstrap));
        } catch (RuntimeException e) {
            ready.completeExceptionally(e);
            if (!closing) {
                log.error("The watch over topic {} ended", settings.topic(), e);
            }
        }
    }

    /** Tries until there is a client: a bootstrap name that does not resolve yet is a reason to wait, too. */
    private Admin connected(Progress progress) throws InterruptedException {
        while (true) {
            try {
                return connect.get();
            } catch (RuntimeException e) {
                progress.waitFor(reason(e));
                Thread.sleep(RETRY_AT_START);
            }
        }
    }

    /** Tries until Kafka is there and the topic is as it must be; says what it waits for. */
    private void firstContact(Admin admin, Progress progress) throws InterruptedException {
        while (true) {
            try {
                view = ensure(admin);
                if (producerIsWarm.getAsBoolean()) {
                    return;
                }
                progress.waitFor("the producer has no metadata yet");
            } catch (StartFailure e) {
                throw e;
            } catch (ExecutionException | TimeoutException | RuntimeException e) {
                progress.waitFor(reason(e));
            }
            // Metadata is only a moment away; Kafka itself may be minutes.
            Thread.sleep(view.status() == Status.UP ? PAUSE_MILLIS : RETRY_AT_START.toMillis());
        }
    }

    /** Says what a start waits for, every few seconds; by the thread of this class alone. */
    private final class Progress {
        private final long start = System.nanoTime();
        private long nextLine = start + QUIET_AT_START.toNanos();

        void waitFor(String obstacle) {
            long now = System.nanoTime();
            if (now - nextLine >= 0) {
                long seconds = TimeUnit.NANOSECONDS.toSeconds(now - start);
                log.info("Waiting for Kafka at {} ({} s): {}", bootstrap, seconds, obstacle);
                nextLine = now + PROGRESS_EVERY.toNanos();
            }
        }
    }

    private TopicView ensure(Admin admin) throws InterruptedException, ExecutionException, TimeoutException {
        Optional<TopicDescription> found = describe(admin);
        if (found.isEmpty()) {
            create(admin);
            found = describe(admin);
        }
        TopicView seen = judge(found);
        if (seen.status() == Status.TOO_FEW_PARTITIONS) {
            throw new StartFailure(seen.detail());
        }
        if (seen.status() != Status.UP) {
            throw new IllegalStateException(seen.detail());
        }
        if (found.isPresent()) {
            awaitLeaders(admin, found.get());
        }
        return seen;
    }

    private void create(Admin admin) throws InterruptedException, ExecutionException, TimeoutException {
        Optional<Short> replication =
                settings.replication() == -1 ? Optional.empty() : Optional.of(settings.replication());
        NewTopic topic = new NewTopic(settings.topic(), Optional.of(settings.partitions()), replication)
                .configs(settings.creationConfig());
        try {
            admin.createTopics(List.of(topic)).all().get(CALL_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
            log.info(
                    "Created topic {} with {} partitions, kept for {}",
                    settings.topic(),
                    settings.partitions(),
                    settings.retention());
        } catch (ExecutionException e) {
            if (!(e.getCause() instanceof TopicExistsException)) {
                throw e; // else another instance was faster
            }
        }
    }

    /**
     * Returns once every partition is led, or after the time of a call: a topic of which a part is away is better than none. A producer
     * whose first batch comes before that is refused and can get stuck on OUT_OF_ORDER_SEQUENCE_NUMBER until its delivery timeout
     * (seen with kafka-clients 4.3.1). Whoever made the topic may have done so this moment, so it is asked for in any case.
     */
    private void awaitLeaders(Admin admin, TopicDescription topic) throws InterruptedException {
        Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
        topic.partitions().forEach(p -> ends.put(new TopicPartition(topic.name(), p.partition()), OffsetSpec.latest()));
        try {
            var _ = admin.listOffsets(ends).all().get(CALL_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException | TimeoutException e) {
            log.warn("Not every partition of topic {} is led: {}", topic.name(), reason(e));
        }
    }

    private Optional<TopicDescription> describe(Admin admin)
            throws InterruptedException, ExecutionException, TimeoutException {
        try {
            return Optional.ofNullable(admin.describeTopics(List.of(settings.topic()))
                    .allTopicNames()
                    .get(CALL_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)
                    .get(settings.topic()));
        } catch (ExecutionException e) {
            if (e.getCause() instanceof UnknownTopicOrPartitionException
                    || e.getCause() instanceof UnknownTopicIdException) {
                return Optional.empty();
            }
            throw e;
        }
    }

    private void look(Admin admin) throws InterruptedException {
        CompletableFuture<TopicView> asked;
        synchronized (lock) {
            asked = nextLook;
            nextLook = new CompletableFuture<>();
        }
        TopicView before = view;
        TopicView now;
        try {
            now = judge(describe(admin));
        } catch (ExecutionException | TimeoutException | RuntimeException e) {
            now = new TopicView(
                    Status.AWAY, before.epoch(), before.partitions(), "Kafka at " + bootstrap + ": " + reason(e));
        }
        view = now;
        tell(before, now);
        asked.complete(now);
    }

    private TopicView judge(Optional<TopicDescription> found) {
        if (found.isEmpty()) {
            TopicView before = view;
            return new TopicView(
                    Status.MISSING, before.epoch(), before.partitions(), "topic " + settings.topic() + " is missing");
        }
        Uuid id = found.get().topicId();
        String epoch = Epoch.of(id.getMostSignificantBits(), id.getLeastSignificantBits());
        int partitions = found.get().partitions().size();
        if (partitions < settings.partitions()) {
            return new TopicView(
                    Status.TOO_FEW_PARTITIONS,
                    epoch,
                    partitions,
                    "tidegate.fanout.partitions: topic " + settings.topic() + " has " + partitions
                            + " (expected: at least " + settings.partitions()
                            + "; add partitions to the topic or configure fewer)");
        }
        return new TopicView(Status.UP, epoch, partitions, "topic " + settings.topic() + ", epoch " + epoch);
    }

    private void tell(TopicView before, TopicView now) {
        if (!Objects.equals(before.epoch(), now.epoch())) {
            epochChanges.incrementAndGet();
            whenRecreated.forEach(Runnable::run);
            log.warn(
                    "Topic {} was recreated: epoch {} is now {}; cursors of the old one end in a gap",
                    settings.topic(),
                    before.epoch(),
                    now.epoch());
        } else if (before.partitions() > 0 && now.partitions() > before.partitions()) {
            whenGrown.forEach(Runnable::run);
            log.warn(
                    "Topic {} has {} partitions, no longer {}: channels have moved, and their clients are told a gap",
                    settings.topic(),
                    now.partitions(),
                    before.partitions());
        }
        if (before.status() != now.status()) {
            if (now.status() == Status.UP) {
                log.info("Kafka can be written again: {}", now.detail());
            } else {
                log.warn("Not ready: {}", now.detail());
            }
        }
    }

    private static String reason(Throwable e) {
        Throwable cause = e;
        while ((cause instanceof ExecutionException || cause instanceof CompletionException)
                && cause.getCause() != null) {
            cause = cause.getCause();
        }
        if (cause instanceof TimeoutException || cause instanceof org.apache.kafka.common.errors.TimeoutException) {
            return "no answer";
        }
        String message = cause.getMessage();
        return message == null
                ? cause.getClass().getSimpleName()
                : message.lines().findFirst().orElse("");
    }
}
