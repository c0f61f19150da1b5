package dev.tidegate.perf.gatling;

import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * What the users of one simulation know of each other: how many are subscribed, what has been published to each channel, and how
 * far the play has come. Any thread.
 */
final class Stage {
    /** The acts of a storm; other plays stay in the first. */
    enum Act {
        CONNECTED,
        /** Everybody drops the connection and stays away. */
        AWAY,
        BACK
    }

    private final String run = Long.toString(System.currentTimeMillis(), 36);
    private final int users;
    private final AtomicInteger subscribers = new AtomicInteger();
    private final AtomicInteger publishers = new AtomicInteger();
    private final AtomicInteger ready = new AtomicInteger();
    private final AtomicInteger away = new AtomicInteger();
    private final AtomicInteger publishersAtWork;
    private final ConcurrentHashMap<String, AtomicInteger> published = new ConcurrentHashMap<>();
    private volatile Act act = Act.CONNECTED;

    Stage(int users, int publishers) {
        this.users = users;
        this.publishersAtWork = new AtomicInteger(publishers);
    }

    /** The n-th channel; of this run alone. */
    String channel(int n) {
        return "gatling-" + run + "-" + n;
    }

    /** A number for a user that subscribes, from 0. */
    int newSubscriber() {
        return subscribers.getAndIncrement();
    }

    /** A number for a user that publishes, from 0. */
    int newPublisher() {
        return publishers.getAndIncrement();
    }

    void subscribed() {
        ready.incrementAndGet();
    }

    boolean everybodyIsSubscribed() {
        return ready.get() >= users;
    }

    /** The sequence number of the channel's next event. */
    int next(String channel) {
        return published.computeIfAbsent(channel, c -> new AtomicInteger()).getAndIncrement();
    }

    /** Events published to the channel so far. */
    int published(String channel) {
        AtomicInteger n = published.get(channel);
        return n == null ? 0 : n.get();
    }

    void publisherDone() {
        publishersAtWork.decrementAndGet();
    }

    boolean publishingIsOver() {
        return publishersAtWork.get() <= 0;
    }

    void begin(Act next) {
        act = next;
    }

    Act act() {
        return act;
    }

    void wentAway() {
        away.incrementAndGet();
    }

    boolean everybodyIsAway() {
        return away.get() >= users;
    }
}
