package dev.tidegate.perf.swarm;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;

/**
 * Publishes through the ingest service, one request an event. A channel keeps to one lane, and a lane has one request
 * under way at a time: so the events of a channel are in order.
 */
final class HttpPublisher implements Publisher {
    /** Events that wait for a lane; a full lane makes the publisher wait, which shows as its lag. */
    private static final int LANE_CAPACITY = 100;

    /** An event that waits for its lane. */
    private record Event(int channel, int sequence, long at) {}

    private static final Duration TIMEOUT = Duration.ofSeconds(30);

    private final Settings settings;
    private final Published published;
    private final long wallOffset;
    private final HttpClient client = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(TIMEOUT)
            .build();
    private final List<BlockingQueue<Event>> lanes = new ArrayList<>();
    private final List<Thread> threads = new ArrayList<>();

    HttpPublisher(Settings settings, Published published, long wallOffset) {
        this.settings = settings;
        this.published = published;
        this.wallOffset = wallOffset;
        for (int i = 0; i < settings.publishing().lanes(); i++) {
            BlockingQueue<Event> lane = new ArrayBlockingQueue<>(LANE_CAPACITY);
            lanes.add(lane);
            threads.add(Thread.ofVirtual().name("lane-" + i).start(() -> run(lane)));
        }
    }

    @Override
    public void publish(int channel) throws InterruptedException {
        lanes.get(channel % lanes.size()).put(new Event(channel, published.next(channel), System.nanoTime()));
    }

    private void run(BlockingQueue<Event> lane) {
        try {
            while (true) {
                post(lane.take());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // closed
        }
    }

    private void post(Event event) throws InterruptedException {
        Settings.Publishing p = settings.publishing();
        HttpRequest.Builder request = HttpRequest.newBuilder(
                        URI.create(p.ingest() + "/v1/channels/" + settings.channelName(event.channel) + "/events"))
                .timeout(TIMEOUT)
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofByteArray(
                        Marker.payload(event.sequence, event.at + wallOffset, p.size())));
        if (p.ids()) {
            request.header("Idempotency-Key", settings.eventId(event.channel, event.sequence));
        }
        try {
            var answer = client.send(request.build(), HttpResponse.BodyHandlers.ofString());
            if (answer.statusCode() == 201 || answer.statusCode() == 202) {
                published.acknowledged(event.at);
            } else {
                published.failed(event.channel, event.sequence, answer.statusCode() + " " + answer.body());
            }
        } catch (IOException e) {
            published.failed(event.channel, event.sequence, e.toString());
        }
    }

    @Override
    public void close() {
        threads.forEach(Thread::interrupt);
        client.shutdownNow();
    }
}
