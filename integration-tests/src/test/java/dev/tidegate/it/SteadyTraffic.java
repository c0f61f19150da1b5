package dev.tidegate.it;

import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Phaser;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;

/**
 * Publishing at a steady rate, whatever becomes of it: each channel's events are due at fixed times. In four of five channels an event does not wait for
 * the answer to the one before it, as events of many publishers do not, so an outage that holds answers back does not thin out what is published
 * during it. Every fifth channel ({@link #inOrder}) has one publisher that waits for each answer; its events must stand in the log in that order.
 *
 * <p>Three of four events carry an id of their publisher's, {@code <channel>/<n>}, and are published again under it until they are taken. The
 * fourth leaves the id to ingest; when such a one is refused it is given up, for nobody could recognise its repetition.
 */
final class SteadyTraffic implements AutoCloseable {

    private static final Duration AGAIN_AFTER = Duration.ofMillis(250);
    private static final int GIVEN_ID_EVERY = 4;
    private static final int WAITING_EVERY = 5;

    /**
     * An event that was taken.
     *
     * @param key what its payload says of it, the same whatever its id
     * @param begunNanos when the call began that was answered with yes
     */
    record Taken(String channel, int n, String key, String id, int status, long begunNanos, long answeredNanos) {}

    private final Publisher publisher;
    private final List<String> channels;
    private final Duration every;
    private final Queue<Taken> taken = new ConcurrentLinkedQueue<>();
    private final Map<String, LongAdder> answers = new ConcurrentHashMap<>();
    private final Queue<String> givenUp = new ConcurrentLinkedQueue<>();
    private final Queue<String> failures = new ConcurrentLinkedQueue<>();

    /** When the calls began that are not answered yet, by the event that is published. */
    private final Map<String, Long> open = new ConcurrentHashMap<>();

    /** One party for each thread that publishes. */
    private final Phaser busy = new Phaser(1);

    private volatile boolean stopping;

    private SteadyTraffic(Publisher publisher, List<String> channels, int perSecond) {
        this.publisher = publisher;
        this.channels = List.copyOf(channels);
        this.every = Duration.ofSeconds(1).multipliedBy(channels.size()).dividedBy(perSecond);
        long begin = System.nanoTime();
        for (int c = 0; c < channels.size(); c++) {
            int index = c;
            long first = begin + every.toNanos() * c / channels.size();
            busy.register();
            Thread.ofVirtual().name("traffic-" + c).start(() -> run(index, first));
        }
    }

    /** Publishes to {@code channels} in turn, {@code perSecond} events in all, until {@link #stop()}. */
    static SteadyTraffic on(Publisher publisher, List<String> channels, int perSecond) {
        return new SteadyTraffic(publisher, channels, perSecond);
    }

    /** Whether the publisher of this channel waits for each answer. */
    static boolean inOrder(int channelIndex) {
        return channelIndex % WAITING_EVERY == 0;
    }

    private void run(int channelIndex, long firstAt) {
        try {
            String channel = channels.get(channelIndex);
            long due = firstAt;
            for (int n = 0; !stopping; n++) {
                LockSupport.parkNanos(Math.max(0, due - System.nanoTime()));
                due += every.toNanos();
                int number = n;
                if (inOrder(channelIndex)) {
                    publish(channel, number);
                } else {
                    busy.register();
                    Thread.ofVirtual().name("event").start(() -> {
                        try {
                            publish(channel, number);
                        } finally {
                            busy.arriveAndDeregister();
                        }
                    });
                }
            }
        } finally {
            busy.arriveAndDeregister();
        }
    }

    /** Until it is taken or given up, also when the traffic is to stop: what has been begun is brought to its end. */
    private void publish(String channel, int n) {
        String key = channel + "/" + n;
        boolean ownId = n % GIVEN_ID_EVERY != GIVEN_ID_EVERY - 1;
        String json = "{\"n\":" + n + ",\"of\":\"" + channel + "\"}";
        String[] headers = ownId ? new String[] {"Tidegate-Event-Id", key} : new String[0];
        long deadline = System.nanoTime() + Topic.WITHIN.toNanos();
        while (true) {
            long begun = System.nanoTime();
            open.put(key, begun);
            String said;
            try {
                Publisher.Answer answer = publisher.publish(channel, json, headers);
                count(Integer.toString(answer.status()));
                said = answer.toString();
                switch (answer.status()) {
                    case 200, 201, 202 -> {
                        taken.add(new Taken(channel, n, key, answer.id(), answer.status(), begun, System.nanoTime()));
                        return;
                    }
                    case 429, 503 -> {}
                    default -> {
                        failures.add(key + ": " + said);
                        return;
                    }
                }
            } catch (UncheckedIOException e) {
                count("no answer");
                said = e.toString();
            } finally {
                open.remove(key);
            }
            if (!ownId) {
                givenUp.add(key);
                return;
            }
            if (System.nanoTime() - deadline > 0) {
                failures.add(key + " was not taken within " + Topic.WITHIN + ": " + said);
                return;
            }
            LockSupport.parkNanos(AGAIN_AFTER.toNanos());
        }
    }

    private void count(String answer) {
        answers.computeIfAbsent(answer, _ -> new LongAdder()).increment();
    }

    /** Whether a call that began before this moment is not answered yet. */
    boolean callsFromBefore(long nanos) {
        return open.values().stream().anyMatch(begun -> begun - nanos < 0);
    }

    /** How many have been taken so far. */
    int taken() {
        return taken.size();
    }

    /** Ends it and waits until every event has been taken or given up. */
    void stop() {
        stopping = true;
        try {
            int phase = busy.arrive();
            busy.awaitAdvanceInterruptibly(phase, Topic.WITHIN.plusSeconds(30).toSeconds(), TimeUnit.SECONDS);
        } catch (TimeoutException e) {
            throw new AssertionError("publishers have not stopped", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted", e);
        }
        if (!failures.isEmpty()) {
            throw new AssertionError("publishing failed: " + failures.size() + " times, first " + failures.peek());
        }
    }

    /** After {@link #stop()}: what was taken. */
    List<Taken> events() {
        return new ArrayList<>(taken);
    }

    /** After {@link #stop()}: payload keys of events that were refused and not repeated. They may be there all the same, once. */
    List<String> givenUp() {
        return List.copyOf(givenUp);
    }

    /** How many calls were answered how, by status. */
    Map<String, Long> answers() {
        Map<String, Long> counts = new TreeMap<>();
        answers.forEach((answer, count) -> counts.put(answer, count.sum()));
        return counts;
    }

    @Override
    public void close() {
        stopping = true;
    }
}
