package dev.tidegate.replay;

import static dev.tidegate.replay.ReplayStand.channelIn;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.protocol.Cursor;
import dev.tidegate.replay.ReplayStand.Answered;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Those who want everything, and those who want a little. */
@Timeout(360)
class FairnessTest {
    private static final int EVENTS = 4_000;
    private static final int BYTES = 5_000;

    private final ReplayStand stand = new ReplayStand();
    private final List<Socket> sockets = new ArrayList<>();

    @AfterEach
    void close() throws IOException {
        synchronized (sockets) {
            for (Socket socket : sockets) {
                socket.close();
            }
        }
        stand.close();
    }

    private void publishHuge(String channel) {
        List<String> payloads = new ArrayList<>();
        for (int i = 0; i < EVENTS; i++) {
            payloads.add("\"" + "x".repeat(BYTES) + "\"");
        }
        stand.publishAll(channel, payloads);
    }

    private Socket ask(String channel, String query, String accept) throws IOException {
        Socket socket = new Socket(InetAddress.getLoopbackAddress(), stand.port());
        sockets.add(socket);
        socket.setReceiveBufferSize(16 << 10);
        socket.getOutputStream()
                .write(("GET " + ReplayStand.path(channel) + query + " HTTP/1.1\r\nHost: x\r\nAccept: " + accept
                                + "\r\n\r\n")
                        .getBytes(StandardCharsets.US_ASCII));
        return socket;
    }

    @Test
    void readersWhoStandStillKeepNobodyWaiting() throws Exception {
        // given: more streams than there are places, of a channel of 20 MB, and nobody reads them; and pages
        String huge = channelIn(0, "orders:huge");
        String small = channelIn(1, "orders:small");
        publishHuge(huge);
        Cursor first = stand.publishMany(small, 5).getFirst();
        stand.startReady(
                "tidegate.replay.recent.fill", "false",
                "tidegate.replay.scan.concurrent", "1",
                "tidegate.replay.admission.reads", "2",
                "tidegate.replay.admission.queue-wait", "60s",
                "tidegate.replay.scan.queue-wait", "60s",
                "tidegate.replay.admission.read-queue", "20");
        for (int i = 0; i < 8; i++) {
            ask(huge, "?from=0", "application/x-ndjson");
            ask(huge, "?from=0&limit=1000", "application/json");
        }
        await().atMost(ReplayStand.PATIENCE)
                .until(() -> stand.metric("tidegate_replay_bytes_total") > 16 * 1_000_000
                        && stand.metric("tidegate_replay_calls_active{call=\"open\"}") >= 8
                        && stand.metric("tidegate_replay_calls_active{call=\"history\"}") == 0
                        && stand.metric("tidegate_replay_calls_waiting{call=\"history\"}") == 0);

        // when
        for (int i = 0; i < 5; i++) {
            var page = stand.history(small, "?after=" + first);

            // then
            assertThat(page.get("events")).hasSize(4);
        }
        assertThat(stand.replay(stand.after(small, first, 4)).getFirst().events())
                .hasSize(4);
        assertThat(stand.metric("tidegate_replay_calls_active{call=\"open\"}"))
                .as("the streams still stand still")
                .isGreaterThanOrEqualTo(8);
        assertThat(stand.metric("tidegate_replay_calls_refused_total")).isZero();
    }

    @Test
    void whoWantsAllOfAHugeChannelStandsInLineForEachPage() throws Exception {
        // given: eight clients go through the huge channel as fast as they can, over and over, with one scan at a time
        // for all
        String huge = channelIn(0, "orders:huge");
        publishHuge(huge);
        List<String> others = new ArrayList<>();
        List<Cursor> first = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            others.add(channelIn(i % ReplayStand.PARTITIONS, "orders:o" + i));
            first.add(stand.publishMany(others.get(i), 3).getFirst());
        }
        stand.startReady(
                "tidegate.replay.recent.fill", "false",
                "tidegate.replay.scan.concurrent", "1",
                "tidegate.replay.scan.queue-wait", "60s");
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<CompletableFuture<Void>> greedy = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                greedy.add(CompletableFuture.runAsync(() -> readForEver(huge), threads));
            }
            await().atMost(ReplayStand.PATIENCE).until(() -> stand.metric("tidegate_replay_events_total") > EVENTS);

            // when
            for (int i = 0; i < others.size(); i++) {
                int p = ReplayStand.partitionOf(others.get(i));
                Answered answer = stand.replay(stand.after(
                                others.get(i), first.get(i), first.get(i).offset() + 2))
                        .getFirst();

                // then
                assertThat(answer.end().error())
                        .as("%d: %s", p, answer.endLine())
                        .isNull();
                assertThat(answer.events()).hasSize(2);
            }
            assertThat(greedy).as("they are still at it").noneMatch(CompletableFuture::isDone);
            close();
            greedy.forEach(g -> g.exceptionally(e -> null).join());
        }
    }

    /** Ends when its socket is closed. */
    private void readForEver(String channel) {
        try {
            while (true) {
                Socket socket;
                synchronized (sockets) {
                    socket = ask(channel, "?from=0", "application/x-ndjson");
                }
                InputStream in = socket.getInputStream();
                byte[] buffer = new byte[64 << 10];
                long read = 0;
                while (read < (long) EVENTS * BYTES) {
                    int n = in.read(buffer);
                    if (n < 0) {
                        return;
                    }
                    read += n;
                }
            }
        } catch (IOException e) {
            // closed
        }
    }
}
