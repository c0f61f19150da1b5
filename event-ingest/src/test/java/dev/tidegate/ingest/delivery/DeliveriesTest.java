package dev.tidegate.ingest.delivery;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.ingest.config.RedisTierSettings.Policy;
import dev.tidegate.ingest.delivery.SpoolQueue.Kept;
import dev.tidegate.ingest.publish.Event;
import dev.tidegate.ingest.publish.PublishOutcome;
import dev.tidegate.ingest.publish.PublishOutcome.Failed;
import dev.tidegate.ingest.publish.PublishOutcome.Fault;
import dev.tidegate.ingest.publish.PublishOutcome.Sent;
import dev.tidegate.ingest.publish.PublishOutcome.Spooled;
import dev.tidegate.ingest.publish.PublishOutcome.Stored;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.ErrorCode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What deliveries do at each transition, with Kafka, Redis and the spool played by the test. */
@Timeout(180)
class DeliveriesTest {
    private static final Duration WITHIN = Duration.ofSeconds(60);

    private static final Stored STORED = new Stored(new Cursor("k3ZqW1xA", 0, 1));
    private static final Failed TIMED_OUT = new Failed(ErrorCode.UNAVAILABLE, "no answer", true, Fault.BACKEND);

    private final AtomicLong clock = new AtomicLong();
    private final PlayedKafka kafka = new PlayedKafka();
    private final List<String> copies = Collections.synchronizedList(new ArrayList<>());
    private final PlayedSpool spool = new PlayedSpool();
    private Deliveries deliveries;

    private static final class PlayedKafka implements DirectPath {
        final Map<String, CompletableFuture<PublishOutcome>> writes = new LinkedHashMap<>();
        final AtomicInteger aborts = new AtomicInteger();
        volatile boolean seen = true;

        @Override
        public synchronized CompletableFuture<PublishOutcome> write(Event event, long millis) {
            CompletableFuture<PublishOutcome> write = new CompletableFuture<>();
            writes.put(event.id(), write);
            return write;
        }

        synchronized void answer(String id, PublishOutcome outcome) {
            writes.get(id).complete(outcome);
        }

        @Override
        public boolean ready() {
            return true;
        }

        @Override
        public void abort() {
            aborts.incrementAndGet();
        }

        @Override
        public boolean seen() {
            return seen;
        }

        @Override
        public void lookAgain() {}

        @Override
        public int partition(Event event) {
            return 0;
        }
    }

    private static final class PlayedSpool implements SpoolQueue {
        volatile CompletableFuture<Kept> commit; // null: at once
        final List<String> kept = Collections.synchronizedList(new ArrayList<>());
        volatile Kept answer = Kept.COMMITTED;
        volatile boolean room = true;

        @Override
        public CompletableFuture<Kept> keep(Event event, long millis, boolean doubtful) {
            kept.add(event.id() + (doubtful ? "?" : ""));
            CompletableFuture<Kept> later = commit;
            return later != null ? later : CompletableFuture.completedFuture(answer);
        }

        @Override
        public boolean roomBehindHeld() {
            return room;
        }

        @Override
        public boolean usable() {
            return answer == Kept.COMMITTED;
        }
    }

    private void start(Policy policy) {
        CopyPath redis = new CopyPath() {
            @Override
            public void copy(int partition, Event event, long millis) {
                copies.add(event.id());
            }

            @Override
            public CompletableFuture<PublishOutcome> send(int partition, Event event, long millis) {
                return CompletableFuture.completedFuture(new Sent());
            }
        };
        deliveries = new Deliveries(
                kafka,
                redis,
                spool,
                policy,
                Set.of("typing"),
                new Deliveries.Limits(Duration.ofMillis(500), Duration.ofSeconds(5), Duration.ofSeconds(30)),
                clock::get);
        deliveries.start();
        deliveries.spoolClear();
        awaitState("healthy");
    }

    private void awaitState(String state) {
        await().atMost(WITHIN).until(() -> {
            if (state.equals("healthy")) {
                deliveries.spoolClear();
            }
            return deliveries.stateName().equals(state);
        });
    }

    @AfterEach
    void close() {
        deliveries.close();
    }

    private CompletableFuture<PublishOutcome> deliver(String id) {
        return deliveries.deliver(event("chat:a", id));
    }

    private static Event event(String channel, String id) {
        return new Event(ChannelName.parse(channel), id, null, null, null, new byte[] {'1'}, null, List.of());
    }

    @Test
    @DisplayName("When a write times out, all that are outstanding go to the spool in their order, marked as doubtful")
    void takeOver() {
        start(Policy.ALWAYS);
        // given
        CompletableFuture<PublishOutcome> stored = deliver("stored");
        CompletableFuture<PublishOutcome> first = deliver("first");
        CompletableFuture<PublishOutcome> second = deliver("second");
        kafka.answer("stored", STORED);
        assertThat(stored).isCompletedWithValue(STORED);
        // when
        clock.addAndGet(Duration.ofSeconds(5).toNanos());
        // then
        awaitState("draining");
        assertThat(first).isCompletedWithValue(new Spooled());
        assertThat(second).isCompletedWithValue(new Spooled());
        assertThat(spool.kept).containsExactly("first?", "second?");
        assertThat(kafka.aborts).hasValue(1);
        // and a late answer of Kafka changes nothing
        kafka.answer("first", STORED);
        // and what comes now follows them
        assertThat(deliver("third")).isCompletedWithValue(new Spooled());
        assertThat(spool.kept).containsExactly("first?", "second?", "third");
        assertThat(copies).containsExactly("stored", "first", "second", "third");
        // until the spool is empty
        awaitState("healthy");
        assertThat(deliver("fourth")).isNotDone();
    }

    @Test
    @DisplayName("Events of a channel that is held up in the spool go behind it; those of others go to Kafka")
    void heldUp() {
        start(Policy.ALWAYS);
        // when
        deliveries.spoolHolds(Set.of("chat:held"));
        CompletableFuture<PublishOutcome> held = deliveries.deliver(event("chat:held", "held"));
        CompletableFuture<PublishOutcome> other = deliver("other");
        // then
        assertThat(held).isCompletedWithValue(new Spooled());
        assertThat(spool.kept).containsExactly("held");
        kafka.answer("other", STORED);
        assertThat(other).isCompletedWithValue(STORED);
        assertThat(deliveries.stateName()).isEqualTo("healthy");
        // when there is no room behind it
        spool.room = false;
        // then that channel alone is refused
        assertThat(deliveries.deliver(event("chat:held", "more")).join())
                .isInstanceOfSatisfying(Failed.class, f -> assertThat(f.code()).isEqualTo(ErrorCode.UNAVAILABLE));
        // when it is held up no longer
        deliveries.spoolHolds(Set.of());
        // then
        var _ = deliveries.deliver(event("chat:held", "free"));
        kafka.answer("free", STORED);
        assertThat(spool.kept).containsExactly("held");
    }

    @Test
    @DisplayName("A channel stays held up while an event of it is on its way into the spool")
    void heldUpUntilCommitted() {
        start(Policy.ALWAYS);
        deliveries.spoolHolds(Set.of("chat:held"));
        CompletableFuture<Kept> commit = new CompletableFuture<>();
        spool.commit = commit;
        var _ = deliveries.deliver(event("chat:held", "first"));
        // when
        deliveries.spoolHolds(Set.of());
        var _ = deliveries.deliver(event("chat:held", "second"));
        // then
        assertThat(spool.kept).containsExactly("first", "second");
        // when both are committed
        commit.complete(Kept.COMMITTED);
        deliveries.spoolHolds(Set.of());
        var _ = deliveries.deliver(event("chat:held", "third"));
        // then
        assertThat(spool.kept).containsExactly("first", "second");
    }

    @Test
    @DisplayName("A refused write takes those before and after it along, at once")
    void refusal() {
        start(Policy.ALWAYS);
        CompletableFuture<PublishOutcome> first = deliver("first");
        CompletableFuture<PublishOutcome> second = deliver("second");
        // when
        kafka.answer("second", new Failed(ErrorCode.UNAVAILABLE, "no metadata", false, Fault.BACKEND));
        // then
        await().atMost(WITHIN).until(() -> first.isDone() && second.isDone());
        assertThat(spool.kept).containsExactly("first?", "second");
    }

    @Test
    @DisplayName("An event's own fault, and load, are answered and open nothing")
    void othersFaults() {
        start(Policy.ALWAYS);
        Failed tooLarge = new Failed(ErrorCode.TOO_LARGE, "too large", false, Fault.EVENT);
        Failed load = new Failed(ErrorCode.UNAVAILABLE, "too many wait", false, Fault.LOAD);
        CompletableFuture<PublishOutcome> first = deliver("first");
        CompletableFuture<PublishOutcome> second = deliver("second");
        // when
        kafka.answer("first", tooLarge);
        kafka.answer("second", load);
        // then
        assertThat(first).isCompletedWithValue(tooLarge);
        assertThat(second).isCompletedWithValue(load);
        assertThat(deliveries.direct()).isTrue();
        assertThat(spool.kept).isEmpty();
    }

    @Test
    @DisplayName("A full buffer while Kafka does not acknowledge is Kafka's failure")
    void loadWhileSuspect() {
        start(Policy.ALWAYS);
        var _ = deliver("waits");
        clock.addAndGet(Duration.ofMillis(600).toNanos());
        awaitState("suspect");
        // when
        CompletableFuture<PublishOutcome> next = deliver("next");
        kafka.answer("next", new Failed(ErrorCode.UNAVAILABLE, "too many wait", false, Fault.LOAD));
        // then
        await().atMost(WITHIN).until(next::isDone);
        assertThat(next).isCompletedWithValue(new Spooled());
        assertThat(spool.kept).containsExactly("waits?", "next");
    }

    @Test
    @DisplayName("Policy on-kafka-failure: copies of what is outstanding when Kafka becomes suspect, and from then on")
    void copiesOnFailure() {
        start(Policy.ON_KAFKA_FAILURE);
        var _ = deliver("stored");
        kafka.answer("stored", STORED);
        var _ = deliver("waits");
        assertThat(copies).isEmpty();
        // when
        clock.addAndGet(Duration.ofMillis(600).toNanos());
        awaitState("suspect");
        var _ = deliver("next");
        // then
        await().atMost(WITHIN).untilAsserted(() -> assertThat(copies).containsExactlyInAnyOrder("waits", "next"));
        // when the circuit opens
        clock.addAndGet(Duration.ofSeconds(5).toNanos());
        awaitState("draining");
        var _ = deliver("later");
        // then each has had one copy
        assertThat(copies).containsExactlyInAnyOrder("waits", "next", "later");
    }

    @Test
    @DisplayName("Without a spool: 503, with the doubt where there is one, and no copy of what nobody keeps")
    void noSpool() {
        start(Policy.ALWAYS);
        spool.answer = Kept.AWAY;
        CompletableFuture<PublishOutcome> sent = deliver("sent");
        kafka.answer("sent", TIMED_OUT);
        await().atMost(WITHIN).until(sent::isDone);
        assertThat(sent.join()).isInstanceOfSatisfying(Failed.class, f -> {
            assertThat(f.code()).isEqualTo(ErrorCode.UNAVAILABLE);
            assertThat(f.uncertain()).isTrue();
        });
        assertThat(copies).containsExactly("sent");
        deliveries.spoolBusy();
        assertThat(deliver("next").join())
                .isInstanceOfSatisfying(
                        Failed.class, f -> assertThat(f.uncertain()).isFalse());
        assertThat(copies).containsExactly("sent");
        assertThat(deliveries.takes()).isFalse();
    }

    @Test
    @DisplayName("Another instance spools: from the moment that spoolBusy returns, events follow into the spool")
    void anotherSpools() {
        start(Policy.OFF);
        CompletableFuture<PublishOutcome> before = deliver("before");
        // when
        deliveries.spoolBusy();
        CompletableFuture<PublishOutcome> after = deliver("after");
        // then
        assertThat(after).isCompletedWithValue(new Spooled());
        assertThat(before).isNotDone();
        assertThat(deliveries.mayRelay()).isTrue();
        // and what Kafka had is left to it
        kafka.answer("before", STORED);
        assertThat(before).isCompletedWithValue(STORED);
        assertThat(copies).isEmpty();
    }

    @Test
    @DisplayName("What comes while the spool ends waits, and goes to Kafka before what comes then")
    void closing() {
        start(Policy.ALWAYS);
        deliveries.spoolHasRows();
        assertThat(deliver("kept")).isCompletedWithValue(new Spooled());
        deliveries.spoolNearlyEmpty();
        // when
        CompletableFuture<PublishOutcome> first = deliver("first");
        CompletableFuture<PublishOutcome> second = deliver("second");
        assertThat(first).isNotDone();
        assertThat(deliveries.takes()).isTrue();
        deliveries.spoolClear();
        CompletableFuture<PublishOutcome> third = deliver("third");
        // then
        assertThat(deliveries.direct()).isTrue();
        assertThat(kafka.writes.keySet()).containsExactly("first", "second", "third");
        kafka.answer("first", STORED);
        assertThat(first).isCompletedWithValue(STORED);
        assertThat(List.of(second.isDone(), third.isDone())).containsOnly(false);
    }

    @Test
    @DisplayName("What has waited is spooled when another instance has to spool, or a second is over")
    void closingFails() {
        start(Policy.ALWAYS);
        deliveries.spoolHasRows();
        deliveries.spoolNearlyEmpty();
        CompletableFuture<PublishOutcome> first = deliver("first");
        deliveries.spoolBusy();
        assertThat(first).isCompletedWithValue(new Spooled());
        deliveries.spoolNearlyEmpty();
        CompletableFuture<PublishOutcome> second = deliver("second");
        deliveries.spoolEmpty();
        clock.addAndGet(Duration.ofSeconds(1).toNanos());
        await().atMost(WITHIN).until(second::isDone);
        assertThat(second).isCompletedWithValue(new Spooled());
        assertThat(spool.kept).containsExactly("first", "second");
    }

    @Test
    @DisplayName("What the watch saw before the circuit opened does not lead past the spool")
    void staleSight() {
        start(Policy.ALWAYS);
        kafka.seen = false;
        CompletableFuture<PublishOutcome> sent = deliver("sent");
        kafka.answer("sent", TIMED_OUT);
        await().atMost(WITHIN).until(sent::isDone);
        // when: the floor is given up, but the watch has not looked since
        deliveries.spoolClear();
        kafka.seen = true;
        // then
        awaitNotSpooling();
        assertThat(deliveries.stateName()).isEqualTo("draining");
    }

    private void awaitNotSpooling() {
        await().atMost(WITHIN).until(() -> {
            clock.addAndGet(Duration.ofMillis(100).toNanos());
            return !deliveries.stateName().equals("spooling");
        });
    }

    @Test
    @DisplayName("Ephemeral events go to Redis, whatever Kafka and the spool do")
    void ephemeral() {
        start(Policy.ALWAYS);
        spool.answer = Kept.AWAY;
        deliveries.spoolBusy();
        assertThat(deliveries.deliver(event("typing:a", "t"))).isCompletedWithValue(new Sent());
        assertThat(kafka.writes).isEmpty();
        assertThat(spool.kept).isEmpty();
        assertThat(copies).isEmpty();
    }
}
