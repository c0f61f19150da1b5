package dev.tidegate.gateway.transport.calls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.gateway.config.GatewaySettings;
import dev.tidegate.gateway.metrics.GatewayMetrics;
import dev.tidegate.gateway.resume.ReplaySource;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.EventFrames;
import dev.tidegate.protocol.FanoutRecord;
import dev.tidegate.protocol.FrameBuffer;
import dev.tidegate.protocol.Gap;
import dev.tidegate.protocol.Replay;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(180)
class HttpReplaySourceTest {
    private static final MultiThreadIoEventLoopGroup GROUP =
            new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
    private static final EventLoop LOOP = (EventLoop) GROUP.iterator().next();
    private static final String EPOCH = "k3ZqW1xA";

    @AfterAll
    static void stop() throws InterruptedException {
        GROUP.shutdownGracefully(0, 5, TimeUnit.SECONDS).sync();
    }

    /** Notes what it is told, and on which thread. */
    private static class Told implements ReplaySource.Listener {
        final List<String> what = new CopyOnWriteArrayList<>();
        final CountDownLatch over = new CountDownLatch(1);
        volatile boolean elsewhere;

        private void note(String s) {
            elsewhere |= !LOOP.inEventLoop();
            what.add(s);
        }

        @Override
        public void event(Cursor cursor, long prev, byte[] frame) {
            note("event " + cursor.offset() + " prev " + prev + " "
                    + new String(frame, StandardCharsets.UTF_8).replaceAll(".*\"data\":(.*)}", "$1"));
        }

        @Override
        public void gap(Gap gap) {
            note("gap " + gap.reason());
        }

        @Override
        public void end(Replay.End end) {
            note("end " + end.cursor().offset() + (end.complete() ? " complete" : " incomplete"));
            over.countDown();
        }

        @Override
        public void failed(String why) {
            note("failed " + why);
            over.countDown();
        }

        Told await() throws InterruptedException {
            assertThat(over.await(60, TimeUnit.SECONDS)).as("told %s", what).isTrue();
            return this;
        }
    }

    private static HttpReplaySource source(URI url, int calls, int queue, Duration progress, @Nullable String token) {
        return new HttpReplaySource(
                List.of(LOOP),
                new GatewaySettings.ReplayService(
                        url, Duration.ofMillis(3), calls, queue, Replay.MAX_REQUESTS, progress),
                token,
                new GatewayMetrics());
    }

    private static Replay.Request request(String channel) {
        return new Replay.Request(new ChannelName(channel), new Cursor(EPOCH, 7, 10), -1, EPOCH, 7, 90, 100);
    }

    /** Asks for all of these in one turn of the loop, as sessions of a reconnect storm do. */
    private static List<Told> fetch(HttpReplaySource source, String... channels) throws InterruptedException {
        List<Told> told = new ArrayList<>();
        for (int i = 0; i < channels.length; i++) {
            told.add(new Told());
        }
        LOOP.submit(() -> {
                    for (int i = 0; i < channels.length; i++) {
                        source.fetch(request(channels[i]), told.get(i));
                    }
                })
                .sync();
        return told;
    }

    private static String event(String channel, long offset, String data) {
        FanoutRecord record = new FanoutRecord();
        record.wrap(channel.getBytes(StandardCharsets.UTF_8), data.getBytes(StandardCharsets.UTF_8), 1);
        FrameBuffer out = new FrameBuffer(64);
        EventFrames.encode(out, EPOCH, 7, offset, offset - 2, record, true);
        return out.toText() + "\n";
    }

    private static String end(int request, boolean complete) {
        FrameBuffer out = new FrameBuffer(64);
        Replay.encodeEnd(
                out, new Replay.End(request, new Cursor(EPOCH, 7, 90), complete, null, Replay.Tier.MEMORY, null, null));
        return out.toText() + "\n";
    }

    /** Finds nothing for anybody, once it may. */
    private static ScriptedServer endsAllOnce(CountDownLatch may) throws IOException {
        return new ScriptedServer((request, out) -> {
            may.await();
            StringBuilder ends = new StringBuilder();
            for (int i = 0; i < Replay.decodeRequests(request.body()).size(); i++) {
                ends.append(end(i, true));
            }
            out.whole(200, "application/x-ndjson", ends.toString());
        });
    }

    @Test
    void sendsWhatComesTogetherInOneCallAndDispatchesTheAnswersHoweverTheyAreCut() throws Exception {
        // given: an answer in chunks of 7 bytes, which cut lines and characters anywhere
        String answer = event("a", 12, "\"é1\"") + event("a", 14, "2") + end(0, true) + "\n" + end(1, false)
                + event("c", 30, "{\"x\":\"ü\"}") + end(2, true);
        byte[] bytes = answer.getBytes(StandardCharsets.UTF_8);
        try (ScriptedServer server = new ScriptedServer((request, out) -> {
                    out.head();
                    for (int i = 0; i < bytes.length; i += 7) {
                        int length = Math.min(7, bytes.length - i);
                        out.raw(Integer.toHexString(length) + "\r\n");
                        out.raw(bytes, i, length).raw("\r\n");
                    }
                    out.end();
                });
                HttpReplaySource source = source(server.url(), 8, 100, Duration.ofSeconds(50), "s3cret")) {
            // when
            List<Told> told = fetch(source, "a", "b", "c");

            // then
            assertThat(told.get(0).await().what)
                    .containsExactly("event 12 prev 10 \"é1\"", "event 14 prev 12 2", "end 90 complete");
            assertThat(told.get(1).await().what).containsExactly("end 90 incomplete");
            assertThat(told.get(2).await().what).containsExactly("event 30 prev 28 {\"x\":\"ü\"}", "end 90 complete");
            assertThat(told).noneMatch(t -> t.elsewhere);
            ScriptedServer.Request call = server.nextRequest();
            assertThat(call.line()).isEqualTo("POST /v1/replay HTTP/1.1");
            assertThat(call.headers())
                    .containsEntry("authorization", "Bearer s3cret")
                    .containsEntry("content-type", "application/json")
                    .containsEntry("accept", "application/x-ndjson");
            assertThat(Replay.decodeRequests(call.body())).containsExactly(request("a"), request("b"), request("c"));
            assertThat(server.requestsWaiting()).isZero();
        }
    }

    @Test
    void splitsAStormIntoCallsOfBoundedSize() throws Exception {
        // given
        int requests = 2 * Replay.MAX_REQUESTS + 10;
        AtomicInteger busy = new AtomicInteger();
        AtomicInteger mostBusy = new AtomicInteger();
        try (ScriptedServer server = new ScriptedServer((request, out) -> {
                    mostBusy.accumulateAndGet(busy.incrementAndGet(), Math::max);
                    StringBuilder body = new StringBuilder();
                    int n = Replay.decodeRequests(request.body()).size();
                    for (int i = 0; i < n; i++) {
                        body.append(event("a", 12, "1")).append(end(i, true));
                    }
                    busy.decrementAndGet();
                    out.whole(200, "application/x-ndjson", body.toString());
                });
                HttpReplaySource source = source(server.url(), 2, requests, Duration.ofSeconds(50), null)) {
            // when
            String[] channels = new String[requests];
            java.util.Arrays.setAll(channels, i -> "c" + i);
            List<Told> told = fetch(source, channels);

            // then
            for (Told t : told) {
                assertThat(t.await().what).containsExactly("event 12 prev 10 1", "end 90 complete");
            }
            assertThat(server.requestsWaiting()).isEqualTo(3);
            assertThat(mostBusy.get()).isLessThanOrEqualTo(2);
        }
    }

    @Test
    void boundsCallsInFlightAndTheQueue() throws Exception {
        // given: a service that answers only when it may
        CountDownLatch may = new CountDownLatch(1);
        try (ScriptedServer server = new ScriptedServer((request, out) -> {
                    may.await();
                    out.whole(200, "application/x-ndjson", end(0, true) + end(1, true));
                });
                HttpReplaySource source = source(server.url(), 1, 2, Duration.ofSeconds(50), null)) {
            List<Told> first = fetch(source, "a", "b");
            server.nextRequest();

            // when
            List<Told> second = fetch(source, "c", "d", "e");

            // then
            assertThat(second.get(2).await().what).containsExactly("failed the queue of replay requests is full (2)");
            assertThat(server.requestsWaiting()).isZero();
            may.countDown();
            assertThat(first.get(1).await().what).containsExactly("end 90 complete");
            assertThat(second.get(1).await().what).containsExactly("end 90 complete");
        }
    }

    @Test
    void whoLeavesFreesItsPlaceInTheQueueAtOnce() throws Exception {
        // given: a service that answers only when it may, and a queue that is full with two of one place and another
        CountDownLatch may = new CountDownLatch(1);
        try (ScriptedServer server = endsAllOnce(may);
                HttpReplaySource source = source(server.url(), 1, 3, Duration.ofSeconds(20), null)) {
            Told first = fetch(source, "first").getFirst();
            server.nextRequest();
            Told shares = new Told();
            List<Told> later = new ArrayList<>();
            LOOP.submit(() -> {
                        Runnable leaves = source.fetch(request("a"), new Told());
                        source.fetch(request("a"), shares);
                        Runnable alone = source.fetch(request("b"), new Told());
                        // when: one that shares its place leaves, and one that is alone, each more than once
                        for (int i = 0; i < 2; i++) {
                            leaves.run();
                            alone.run();
                        }
                        // and others come, stay or leave
                        for (int i = 0; i < 500; i++) {
                            source.fetch(request("passing" + i), new Told()).run();
                            source.fetch(request("a"), new Told()).run();
                        }
                        for (String channel : List.of("c", "d", "e")) {
                            later.add(new Told());
                            source.fetch(request(channel), later.getLast());
                        }
                    })
                    .sync();

            // then
            assertThat(later.get(2).await().what).containsExactly("failed the queue of replay requests is full (3)");
            may.countDown();
            for (Told t : List.of(first, shares, later.get(0), later.get(1))) {
                assertThat(t.await().what).containsExactly("end 90 complete");
            }
            assertThat(Replay.decodeRequests(server.nextRequest().body()))
                    .extracting(r -> r.channel().value())
                    .containsExactly("a", "c", "d");
        }
    }

    private static Replay.Request request(String channel, long after, long upTo) {
        return new Replay.Request(new ChannelName(channel), new Cursor(EPOCH, 7, after), -1, EPOCH, 7, upTo, 100);
    }

    @Test
    void keepsItsConnectionFromCallToCall() throws Exception {
        // given: answers whose last line comes before their end
        try (ScriptedServer server = new ScriptedServer((request, out) -> {
                    out.head().chunk(event("a", 12, "1") + end(0, true));
                    new CountDownLatch(1).await(20, TimeUnit.MILLISECONDS);
                    out.end();
                });
                HttpReplaySource source = source(server.url(), 1, 100, Duration.ofSeconds(50), null)) {
            // when
            for (int i = 0; i < 5; i++) {
                fetch(source, "a").getFirst().await();
            }

            // then
            assertThat(server.accepted()).isEqualTo(1);
        }
    }

    @Test
    void asksOnceForWhatACrowdMissed() throws Exception {
        // given
        try (ScriptedServer server = new ScriptedServer((request, out) ->
                        out.whole(200, "application/x-ndjson", event("a", 12, "1") + end(0, true) + end(1, true)));
                HttpReplaySource source = source(server.url(), 1, 100, Duration.ofSeconds(50), null)) {
            List<Told> crowd = List.of(new Told(), new Told(), new Told());
            Told gone = new Told();
            Told elsewhere = new Told();

            // when: the same place, wanted up to where the log ended at the time; and another place
            LOOP.submit(() -> {
                        source.fetch(request("a", 10, 80), gone).run();
                        source.fetch(request("a", 10, 80), crowd.get(0));
                        source.fetch(request("a", 10, 90), crowd.get(1));
                        source.fetch(request("a", 10, 85), crowd.get(2));
                        source.fetch(request("a", 11, 90), elsewhere);
                    })
                    .sync();

            // then
            for (Told t : crowd) {
                assertThat(t.await().what).containsExactly("event 12 prev 10 1", "end 90 complete");
            }
            assertThat(elsewhere.await().what).containsExactly("end 90 complete");
            assertThat(gone.what).isEmpty();
            assertThat(Replay.decodeRequests(server.nextRequest().body()))
                    .containsExactly(request("a", 10, 90), request("a", 11, 90));
        }
    }

    @Test
    void sessionsTakeTurns() throws Exception {
        // given: a service that is busy with one call
        CountDownLatch may = new CountDownLatch(1);
        try (ScriptedServer server = endsAllOnce(may);
                HttpReplaySource source = source(server.url(), 1, 100, Duration.ofSeconds(50), null)) {
            fetch(source, "first");
            server.nextRequest();
            Object crowd = new Object();

            // when: one session asks for a lot, then others for a little
            LOOP.submit(() -> {
                        for (int i = 0; i < 5; i++) {
                            source.fetch(request("crowd" + i), new Told() {
                                @Override
                                public Object turn() {
                                    return crowd;
                                }
                            });
                        }
                        source.fetch(request("a"), new Told());
                        source.fetch(request("b"), new Told());
                    })
                    .sync();
            may.countDown();

            // then
            assertThat(Replay.decodeRequests(server.nextRequest().body()))
                    .extracting(r -> r.channel().value())
                    .containsExactly("crowd0", "a", "b", "crowd1", "crowd2", "crowd3", "crowd4");
        }
    }

    @Test
    void takesAnAnswerThatIsSlowButMovesOn() throws Exception {
        // given: more than the progress timeout in all, a small part of it between two parts
        try (ScriptedServer server = new ScriptedServer((request, out) -> {
                    out.head();
                    for (int i = 0; i < 16; i++) {
                        out.chunk(event("a", 12 + 2 * i, "1"));
                        new CountDownLatch(1).await(300, TimeUnit.MILLISECONDS);
                    }
                    out.chunk(end(0, true)).end();
                });
                HttpReplaySource source = source(server.url(), 1, 10, Duration.ofSeconds(4), null)) {
            // when
            Told told = fetch(source, "a").getFirst().await();

            // then
            assertThat(told.what).hasSize(17).last().isEqualTo("end 90 complete");
        }
    }

    @Test
    void failsWhatAnAnswerThatBreaksOffLeavesOpen() throws Exception {
        // given
        try (ScriptedServer server = new ScriptedServer((request, out) -> {
                    out.head()
                            .chunk(event("a", 12, "1")
                                    + end(0, true)
                                    + event("b", 20, "2").substring(0, 30));
                    throw new IllegalStateException("cut");
                });
                HttpReplaySource source = source(server.url(), 1, 10, Duration.ofSeconds(50), null)) {
            // when
            List<Told> told = fetch(source, "a", "b", "c");

            // then
            assertThat(told.get(0).await().what).containsExactly("event 12 prev 10 1", "end 90 complete");
            assertThat(told.get(1).await().what).containsExactly("failed replay: the connection broke off");
            assertThat(told.get(2).await().what).containsExactly("failed replay: the connection broke off");
        }
    }

    @Test
    void failsWhatAnAnswerThatEndsTooEarlyLeavesOpen() throws Exception {
        // given
        try (ScriptedServer server =
                        new ScriptedServer((request, out) -> out.whole(200, "application/x-ndjson", end(0, true)));
                HttpReplaySource source = source(server.url(), 1, 10, Duration.ofSeconds(50), null)) {
            // when
            List<Told> told = fetch(source, "a", "b");

            // then
            assertThat(told.get(0).await().what).containsExactly("end 90 complete");
            assertThat(told.get(1).await().what).containsExactly("failed the answer broke off after 1 of 2 requests");
        }
    }

    @Test
    void failsAllOfACallThatIsRefused() throws Exception {
        // given
        try (ScriptedServer server =
                        new ScriptedServer((request, out) -> out.whole(500, "text/plain", "out of memory"));
                HttpReplaySource source = source(server.url(), 1, 10, Duration.ofSeconds(50), null)) {
            // when
            List<Told> told = fetch(source, "a", "b");

            // then
            assertThat(told.get(0).await().what).containsExactly("failed replay: status 500: out of memory");
            assertThat(told.get(1).await().what).containsExactly("failed replay: status 500: out of memory");
        }
    }

    @Test
    void failsACallThatIsNeverAnsweredOrStopsInTheMiddle() throws Exception {
        // given: the second one has begun well before it counts as standing still
        AtomicInteger calls = new AtomicInteger();
        try (ScriptedServer server = new ScriptedServer((request, out) -> {
                    if (calls.incrementAndGet() == 2) {
                        out.head().chunk(event("b", 12, "1"));
                    }
                    new CountDownLatch(1).await();
                });
                HttpReplaySource impatient = source(server.url(), 1, 10, Duration.ofMillis(200), null);
                HttpReplaySource source = source(server.url(), 1, 10, Duration.ofSeconds(4), null)) {
            // when
            Told never = fetch(impatient, "a").getFirst().await();
            Told stops = fetch(source, "b").getFirst().await();

            // then
            assertThat(never.what).containsExactly("failed replay: no progress in time");
            assertThat(stops.what).containsExactly("event 12 prev 10 1", "failed replay: no progress in time");
        }
    }

    @Test
    void failsWhenNobodyListens() throws Exception {
        // given
        URI gone;
        try (ScriptedServer server = new ScriptedServer((request, out) -> {})) {
            gone = server.url();
        }
        try (HttpReplaySource source = source(gone, 1, 10, Duration.ofSeconds(50), null)) {
            // when
            Told told = fetch(source, "a").getFirst().await();

            // then
            assertThat(told.what).containsExactly("failed replay: cannot connect");
        }
    }

    @Test
    void failsOnWhatIsNoAnswer() throws Exception {
        for (String answer : List.of("<html>\n", "{\"op\":\"other\"}\n", end(1, true), end(0, true) + end(0, true))) {
            // given
            try (ScriptedServer server =
                            new ScriptedServer((request, out) -> out.whole(200, "application/x-ndjson", answer));
                    HttpReplaySource source = source(server.url(), 1, 10, Duration.ofSeconds(50), null)) {
                // when
                Told second = fetch(source, "a", "b").get(1).await();

                // then
                assertThat(second.what).hasSize(1).first().asString().startsWith("failed replay: ");
            }
        }
    }

    @Test
    void tellsACancelledRequestNothingAndGivesUpACallThatNobodyWaitsFor() throws Exception {
        // given
        CountDownLatch cancelled = new CountDownLatch(1);
        CountDownLatch closed = new CountDownLatch(1);
        try (ScriptedServer server = new ScriptedServer((request, out) -> {
                    out.head();
                    cancelled.await();
                    try {
                        while (true) {
                            out.chunk(event("a", 12, "1"));
                        }
                    } finally {
                        closed.countDown();
                    }
                });
                HttpReplaySource source = source(server.url(), 1, 10, Duration.ofSeconds(50), null)) {
            Told told = new Told();
            List<Runnable> cancel = new ArrayList<>();
            LOOP.submit(() -> cancel.add(source.fetch(request("a"), told))).sync();
            server.nextRequest();

            // when
            LOOP.submit(cancel.getFirst()).sync();
            cancelled.countDown();

            // then
            assertThat(closed.await(60, TimeUnit.SECONDS)).isTrue();
            assertThat(told.what).isEmpty();
        }
    }

    @Test
    void sparesTheOthersWhenAListenerThrows() throws Exception {
        // given
        try (ScriptedServer server = new ScriptedServer((request, out) ->
                        out.whole(200, "application/x-ndjson", event("a", 12, "1") + end(0, true) + end(1, true)));
                HttpReplaySource source = source(server.url(), 1, 10, Duration.ofSeconds(50), null)) {
            Told good = new Told();
            Told bad = new Told() {
                @Override
                public void event(Cursor cursor, long prev, byte[] frame) {
                    throw new IllegalStateException("broken on purpose");
                }
            };

            // when
            LOOP.submit(() -> {
                        source.fetch(request("a"), bad);
                        source.fetch(request("b"), good);
                    })
                    .sync();

            // then
            assertThat(good.await().what).containsExactly("end 90 complete");
            assertThat(bad.what).isEmpty();
        }
    }

    @Test
    void answersFromAnyThreadAndAfterClosingWithAFailure() throws Exception {
        // given
        try (ScriptedServer server =
                new ScriptedServer((request, out) -> out.whole(200, "application/x-ndjson", end(0, true)))) {
            Told open = new Told();
            Told late = new Told();
            HttpReplaySource closed;

            // when
            try (HttpReplaySource source = source(server.url(), 1, 10, Duration.ofSeconds(50), null)) {
                closed = source;
                source.fetch(request("a"), open);
                open.await();
            }
            closed.fetch(request("a"), late);

            // then
            assertThat(open.what).containsExactly("end 90 complete");
            assertThat(late.await().what).containsExactly("failed the gateway is shutting down");
            await().atMost(Duration.ofSeconds(30))
                    .untilAsserted(() -> assertThat(server.connections()).isZero());
        }
    }
}
