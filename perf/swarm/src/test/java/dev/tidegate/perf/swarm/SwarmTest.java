package dev.tidegate.perf.swarm;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.handler.codec.http.HttpResponseStatus;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** One child's connections, in this process, against a gateway that does right or a certain wrong. */
class SwarmTest {
    private static final int CHANNELS = 3;
    private static final int CONNECTIONS = 12;

    private final ScriptedGateway gateway = new ScriptedGateway();
    private final BlockingQueue<Wire.Report> reports = new LinkedBlockingQueue<>();
    private final int[] counts = new int[CHANNELS];
    private Settings settings;
    private Swarm swarm;

    @AfterEach
    void close() {
        swarm.close();
        gateway.close();
    }

    private void start(String scenario, String... more) throws InterruptedException {
        List<String> words = new ArrayList<>(List.of(
                scenario,
                "--connections",
                "" + CONNECTIONS,
                "--channels",
                "" + CHANNELS,
                "--gateway",
                "127.0.0.1:" + gateway.port(),
                "--connect-rate",
                "10000"));
        words.addAll(List.of(more));
        settings = Settings.parse(words);
        var start = new Wire.Command.Start(settings, 0, CONNECTIONS, 1, 0);
        swarm = new Swarm(start, reports::add);
        swarm.accept(start);
    }

    private <R extends Wire.Report> R await(Class<R> kind) throws InterruptedException {
        Wire.Report r = reports.poll(60, TimeUnit.SECONDS);
        assertThat(r).isInstanceOf(kind);
        return kind.cast(r);
    }

    private void publish(int perChannel) {
        for (int k = 0; k < perChannel; k++) {
            for (int c = 0; c < CHANNELS; c++) {
                byte[] payload = Marker.payload(counts[c]++, System.nanoTime(), 64);
                gateway.publish(
                        settings.channelName(c), new String(payload, java.nio.charset.StandardCharsets.US_ASCII));
            }
        }
    }

    /** Disconnects everybody, and waits until nobody is connected. */
    private void cut() throws InterruptedException {
        swarm.accept(new Wire.Command.Cut(true));
        await(Wire.Report.Held.class);
        await(Wire.Report.Away.class);
    }

    private Accounts finish() throws InterruptedException {
        swarm.accept(new Wire.Command.Finish(counts, List.of()));
        return await(Wire.Report.Final.class).accounts();
    }

    private void awaitWhole() throws InterruptedException {
        swarm.accept(new Wire.Command.Expect(7, counts));
        assertThat(await(Wire.Report.Whole.class).id()).isEqualTo(7);
    }

    @ParameterizedTest
    @EnumSource(
            value = Settings.Transport.class,
            names = {"NIO", "AUTO"})
    void everythingDeliveredIsExact(Settings.Transport transport) throws Exception {
        // given
        start("fanout", "--transport", transport.name());
        assertThat(await(Wire.Report.Ready.class).ready()).isEqualTo(CONNECTIONS);

        // when
        publish(20);
        awaitWhole();
        Accounts a = finish();

        // then
        assertThat(a.delivered).isEqualTo(20L * CONNECTIONS);
        assertThat(List.of(a.lost, a.repeated, a.late, a.holes, a.backward, a.foreign, a.broken, a.wrongIds))
                .containsOnly(0L);
        assertThat(Verdict.faults(settings, a, published(), CONNECTIONS, false)).isEmpty();
    }

    private Published published() {
        Published p = new Published(CHANNELS);
        p.next(0);
        return p;
    }

    /** A wrong that the gateway does, and the count that must tell it. */
    @SuppressWarnings("ImmutableEnumChecker") // lambdas that capture nothing
    enum Wrong {
        SKIPS_AN_EVENT((e, frames) -> e.offset() == 109 ? List.of() : frames, a -> a.lost == 4 && a.holes == 4),
        SKIPS_AND_LIES_ABOUT_PREV(
                (e, frames) ->
                        e.offset() == 109 ? List.of() : e.offset() == 112 ? List.of(e.frame(106, false)) : frames,
                a -> a.lost == 4 && a.holes == 0),
        LOSES_THE_LAST((e, frames) -> e.offset() == 159 ? List.of() : frames, a -> a.lost == 4 && a.holes == 0),
        REPEATS(
                (e, frames) -> e.offset() == 109 ? List.of(e.frame(), e.frame()) : frames,
                a -> a.repeated == 4 && a.lost == 0),
        NAMES_A_PREV_TOO_FAR_ON(
                (e, frames) -> e.offset() == 109 ? List.of(e.frame(108, false)) : frames,
                a -> a.holes == 4 && a.lost == 0),
        GIVES_ANOTHER_ID(
                (e, frames) -> e.offset() == 109
                        ? List.of(e.frame().replace("\"id\":\"Epoch123.0.109\"", "\"id\":\"x\""))
                        : frames,
                a -> a.wrongIds == 4),
        MIXES_LOGS(
                (e, frames) -> e.offset() == 109
                        ? List.of(e.frame().replace("\"cursor\":\"Epoch123", "\"cursor\":\"Epoch124"))
                        : frames,
                a -> a.foreign == 4 && a.lost == 4),
        SENDS_ANOTHER_CHANNELS_EVENT(
                (e, frames) ->
                        e.offset() == 109 ? List.of(e.frame().replace("-0\",\"cursor", "-1\",\"cursor")) : frames,
                a -> a.foreign == 4 && a.lost == 4),
        TELLS_A_GAP(
                (e, frames) -> e.offset() == 109
                        ? List.of(
                                "{\"op\":\"gap\",\"channel\":\"" + e.channel()
                                        + "\",\"after\":\"Epoch123.0.106\",\"cursor\":\"Epoch123.0.109\",\"reason\":\"expired\"}")
                        : frames,
                a -> a.gaps == 4 && a.lost == 4 && a.holes == 0),
        GOES_BACK(
                (e, frames) -> e.offset() == 109
                        ? List.of(
                                "{\"op\":\"position\",\"channels\":{\"" + e.channel() + "\":\"Epoch123.0.3\"}}",
                                e.frame())
                        : frames,
                a -> a.backward == 4),
        SENDS_NO_JSON((e, frames) -> e.offset() == 109 ? List.of("what") : frames, a -> a.broken == 4),
        SENDS_AN_ERROR(
                (e, frames) -> e.offset() == 109
                        ? List.of("{\"op\":\"error\",\"code\":\"internal\",\"message\":\"m\"}", e.frame())
                        : frames,
                a -> a.errors.get("internal") == 4);

        interface Change {
            List<String> of(ScriptedGateway.Event e, List<String> frames);
        }

        final Change change;
        final Predicate<Accounts> told;

        Wrong(Change change, Predicate<Accounts> told) {
            this.change = change;
            this.told = told;
        }
    }

    @ParameterizedTest
    @EnumSource(Wrong.class)
    void everyWrongIsFound(Wrong wrong) throws Exception {
        // given: offsets 100 to 159; 109 and 112 are of channel 0, 159 of channel 2; four connections have each channel
        start("fanout");
        await(Wire.Report.Ready.class);
        gateway.script = (e, connection) -> wrong.change.of(e, List.of(e.frame()));

        // when
        publish(20);
        gateway.pingAll(); // behind all events
        await(() -> swarm.accounts.pings + swarm.accounts.broken == CONNECTIONS);
        Accounts a = finish();

        // then
        assertThat(wrong.told.test(a)).as(Wire.JSON.writeValueAsString(a)).isTrue();
        assertThat(Verdict.faults(settings, a, published(), CONNECTIONS, false)).isNotEmpty();
    }

    /** Until a condition on what the swarm's loop writes holds. */
    private void await(BooleanSupplier condition) {
        long deadline = System.nanoTime() + 60_000_000_000L;
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as("deadline").isLessThan(deadline);
            VarHandle.fullFence(); // the loop's fields are plain
            Thread.onSpinWait();
        }
    }

    @Test
    void outOfOrderIsFound() throws Exception {
        // given a gateway that swaps two events of a channel
        start("fanout");
        await(Wire.Report.Ready.class);
        List<ScriptedGateway.Event> held = new ArrayList<>();
        gateway.script = (e, connection) -> {
            if (e.offset() == 109) {
                if (held.isEmpty()) {
                    held.add(e);
                }
                return List.of();
            }
            return e.offset() == 112
                    ? List.of(e.frame(106, false), held.getFirst().frame())
                    : List.of(e.frame());
        };

        // when
        publish(20);
        awaitWhole();
        Accounts a = finish();

        // then
        assertThat(a.late).isEqualTo(4);
        assertThat(a.backward).isEqualTo(4);
        assertThat(a.lost).isZero();
    }

    @Test
    void aStormIsSurvivedAndTimed() throws Exception {
        // given
        start("storm");
        await(Wire.Report.Ready.class);
        publish(5);
        awaitWhole();

        // when every connection is cut, misses events, and comes back
        cut();
        await(() -> gateway.open() == 0);
        publish(4);
        swarm.accept(new Wire.Command.Reopen(9, counts.clone()));
        assertThat(await(Wire.Report.Whole.class).id()).isEqualTo(9);
        publish(2);
        awaitWhole();
        swarm.accept(new Wire.Command.Finish(counts, List.of()));
        Wire.Report.Final end = await(Wire.Report.Final.class);

        // then
        Accounts a = end.accounts();
        assertThat(a.delivered).isEqualTo(11L * CONNECTIONS);
        assertThat(a.replayed).isEqualTo(4L * CONNECTIONS);
        assertThat(a.reconnects).isEqualTo(CONNECTIONS);
        assertThat(Histograms.decode(end.recovery()).getTotalCount()).isEqualTo(CONNECTIONS);
        assertThat(Verdict.faults(settings, a, published(), end.ready(), false)).isEmpty();
    }

    @Test
    void aGatewayThatDiesIsAStormToo() throws Exception {
        // given
        start("storm");
        await(Wire.Report.Ready.class);
        publish(2);
        awaitWhole();

        // when the connections are not closed from here, and nobody comes back before it is told to
        swarm.accept(new Wire.Command.Cut(false));
        await(Wire.Report.Held.class);
        assertThat(reports).as("told to be away while connections are open").isEmpty();
        gateway.closeAll(1001);
        await(Wire.Report.Away.class);
        assertThat(swarm.accounts.closedByServer).isEqualTo(CONNECTIONS);
        publish(3);
        swarm.accept(new Wire.Command.Reopen(9, counts.clone()));
        await(Wire.Report.Whole.class);
        swarm.accept(new Wire.Command.Finish(counts, List.of()));
        Wire.Report.Final end = await(Wire.Report.Final.class);

        // then
        assertThat(end.accounts().replayed).isEqualTo(3L * CONNECTIONS);
        assertThat(Histograms.decode(end.recovery()).getTotalCount()).isEqualTo(CONNECTIONS);
        assertThat(Verdict.faults(settings, end.accounts(), published(), end.ready(), false))
                .isEmpty();
    }

    @Test
    void whoDoesNotReadGetsNothingUntilItReadsAgain() throws Exception {
        // given every second connection slow
        start("slow", "--slow-share", "0.5");
        await(Wire.Report.Ready.class);

        // when
        swarm.accept(new Wire.Command.Slow(true));
        await(swarm::standsStill); // the command is carried out on the swarm's loop, which may see the next events
        // first
        publish(5);
        await(() -> swarm.accounts.delivered == 5L * CONNECTIONS / 2);
        swarm.accept(new Wire.Command.Slow(false));
        awaitWhole();
        swarm.accept(new Wire.Command.Finish(counts, List.of()));
        Wire.Report.Final end = await(Wire.Report.Final.class);

        // then their latencies are apart
        assertThat(end.accounts().delivered).isEqualTo(5L * CONNECTIONS);
        assertThat(Histograms.decode(end.slow()).getTotalCount()).isEqualTo(5L * CONNECTIONS / 2);
        assertThat(Histograms.decode(end.live()).getTotalCount()).isEqualTo(5L * CONNECTIONS / 2);
    }

    @Test
    void whatTheReplayLosesIsFound() throws Exception {
        // given
        start("storm");
        await(Wire.Report.Ready.class);
        publish(5);
        awaitWhole();
        gateway.loseOnReplay = true;

        // when
        cut();
        await(() -> gateway.open() == 0);
        publish(4);
        swarm.accept(new Wire.Command.Reopen(9, counts.clone()));
        await(() -> gateway.connections() == 2 * CONNECTIONS);
        publish(1);
        // everything but what the replay loses: until then nobody can know what is lost
        await(() -> swarm.accounts.delivered == (5L + 3 + 1) * CONNECTIONS);
        assertThat(reports.poll(500, TimeUnit.MILLISECONDS)).isNull();
        Accounts a = finish();

        // then
        assertThat(a.lost).isEqualTo(CONNECTIONS);
        assertThat(a.holes).isEqualTo(CONNECTIONS);
    }

    @Test
    void aServersCloseIsAFaultUnlessConnectionsMayComeBack() throws Exception {
        // given
        start("fanout");
        await(Wire.Report.Ready.class);

        // when
        gateway.closeAll(4001);
        await(() -> swarm.accounts.gaveUp == CONNECTIONS);
        Accounts a = finish();

        // then
        assertThat(a.closeCodes).containsEntry(4001, (long) CONNECTIONS);
        assertThat(Verdict.faults(settings, a, published(), 0, false))
                .anyMatch(f -> f.contains("closed by the server"));
    }

    @Test
    void afterAServersCloseEventsArePickedUpWhereTheyWereLeft() throws Exception {
        // given
        start("fanout", "--reconnect");
        await(Wire.Report.Ready.class);
        publish(3);
        awaitWhole();

        // when
        gateway.closeAll(4001);
        publish(3);
        awaitWhole();
        Accounts a = finish();

        // then
        assertThat(a.delivered).isEqualTo(6L * CONNECTIONS);
        assertThat(List.of(a.lost, a.holes, a.repeated, a.late)).containsOnly(0L);
        assertThat(a.reconnects).isEqualTo(CONNECTIONS);
    }

    @Test
    void afterACloseThatForbidsItNobodyComesBack() throws Exception {
        // given
        start("fanout", "--reconnect");
        await(Wire.Report.Ready.class);

        // when
        gateway.closeAll(4103);
        await(() -> swarm.accounts.gaveUp == CONNECTIONS);

        // then
        assertThat(gateway.connections()).isEqualTo(CONNECTIONS);
    }

    @Test
    void aRefusedHandshakeIsTriedAgain() throws Exception {
        // given a gateway that has no room at first
        gateway.refuse = HttpResponseStatus.SERVICE_UNAVAILABLE;
        start("fanout");
        await(() -> gateway.refusals.get() >= CONNECTIONS);

        // when
        gateway.refuse = null;
        int ready = await(Wire.Report.Ready.class).ready();
        Accounts a = finish();

        // then
        assertThat(ready).isEqualTo(CONNECTIONS);
        assertThat(a.refused).isGreaterThanOrEqualTo(CONNECTIONS);
    }

    @Test
    void manyChannelsOfOneConnectionAreSubscribedByFrames() throws Exception {
        // given
        start("sparse", "--channels", "" + CHANNELS, "--per-connection", "" + CHANNELS);
        await(Wire.Report.Ready.class);

        // when
        publish(5);
        awaitWhole();
        Accounts a = finish();

        // then
        assertThat(a.delivered).isEqualTo(5L * CHANNELS * CONNECTIONS);
        assertThat(List.of(a.lost, a.holes, a.repeated, a.late, a.foreign)).containsOnly(0L);
    }

    @Test
    void whatWasNotAcknowledgedMayBeMissing() throws Exception {
        // given an event that was never stored
        start("fanout");
        await(Wire.Report.Ready.class);
        publish(2);
        int never = counts[0]++;
        publish(2);

        // when
        swarm.accept(new Wire.Command.Expect(3, new int[] {2, 2, 2}));
        await(Wire.Report.Whole.class);
        await(() -> swarm.accounts.delivered == 4L * CONNECTIONS);
        swarm.accept(new Wire.Command.Finish(counts, List.of(new int[] {0, never})));
        Accounts a = await(Wire.Report.Final.class).accounts();

        // then
        assertThat(a.lost).isZero();
    }
}
