package dev.tidegate.it;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;

/**
 * Publishing that goes on while things are killed: each channel is published to by one thread, one event after the other, mostly over HTTP, every
 * fifth event straight into Kafka. An event that was not acknowledged is published again with the same id until it is, so that in the log the
 * events {@code <channel>/0, <channel>/1, …} of a channel stand in this order, perhaps one of them twice in a row.
 */
final class Traffic implements AutoCloseable {

    private static final int THREADS = 3;

    /** Between two events of one thread: some hundred events a second in all, as a drill wants them and two cores bear them. */
    private static final Duration PAUSE = Duration.ofMillis(8);

    private static final int STRAIGHT_EVERY = 5;

    private final Publisher publisher;
    private final Topic topic;
    private final List<Thread> threads = new ArrayList<>();
    private final AtomicInteger acknowledged = new AtomicInteger();
    private volatile boolean stopping;
    private volatile Throwable failure;

    private Traffic(Publisher publisher, Topic topic, List<String> channels) {
        this.publisher = publisher;
        this.topic = topic;
        for (int t = 0; t < THREADS; t++) {
            List<String> mine = new ArrayList<>();
            for (int c = t; c < channels.size(); c += THREADS) {
                mine.add(channels.get(c));
            }
            threads.add(Thread.ofVirtual().name("traffic-" + t).start(() -> run(mine)));
        }
    }

    static Traffic on(Publisher publisher, Topic topic, List<String> channels) {
        return new Traffic(publisher, topic, channels);
    }

    /** Events acknowledged so far. */
    int acknowledged() {
        Throwable failed = failure;
        if (failed != null) {
            throw new AssertionError("publishing failed", failed);
        }
        return acknowledged.get();
    }

    private void run(List<String> channels) {
        // What is in the spool comes after what is written straight into the log, however the publisher had it.
        boolean spooled = false;
        try {
            for (int n = 0; !stopping; n++) {
                for (String channel : channels) {
                    if (stopping) {
                        return;
                    }
                    String id = channel + "/" + n;
                    String json = "{\"n\":" + n + ",\"of\":\"" + channel + "\"}";
                    if (n % STRAIGHT_EVERY == STRAIGHT_EVERY - 1 && !spooled) {
                        topic.write(
                                channel,
                                json,
                                List.<Header>of(new RecordHeader("ce_id", id.getBytes(StandardCharsets.UTF_8))));
                    } else {
                        spooled = overHttp(channel, json, id) == 202;
                    }
                    acknowledged.incrementAndGet();
                    LockSupport.parkNanos(PAUSE.toNanos());
                }
            }
        } catch (RuntimeException | AssertionError e) {
            failure = e;
        }
    }

    /**
     * Until it is acknowledged, also when the traffic is to stop: what has been begun is brought to its end.
     *
     * @return 201, or 202 if it was spooled
     */
    private int overHttp(String channel, String json, String id) {
        long deadline = System.nanoTime() + Topic.WITHIN.toNanos();
        while (true) {
            String said;
            try {
                Publisher.Answer answer = publisher.publish(channel, json, "Tidegate-Event-Id", id);
                if (answer.status() == 201 || answer.status() == 202) {
                    return answer.status();
                }
                said = answer.toString();
                if (answer.status() != 503 && answer.status() != 429) {
                    throw new AssertionError(said);
                }
            } catch (java.io.UncheckedIOException e) {
                said = e.toString();
            }
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError(id + " was not taken within " + Topic.WITHIN + ": " + said);
            }
            LockSupport.parkNanos(Duration.ofMillis(100).toNanos());
        }
    }

    /** Ends it, with every event acknowledged. */
    void stop() {
        stopping = true;
        for (Thread thread : threads) {
            try {
                if (!thread.join(Topic.WITHIN.plusSeconds(30))) {
                    throw new AssertionError(thread.getName() + " has not stopped");
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new AssertionError("interrupted", e);
            }
        }
        acknowledged();
    }

    @Override
    public void close() {
        stopping = true;
    }
}
