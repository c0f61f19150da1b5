package dev.tidegate.gateway.resume;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.gateway.fanout.Batches;
import dev.tidegate.gateway.fanout.LoopBatch;
import dev.tidegate.gateway.resume.ReplayMerge.State;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.Gap;
import dev.tidegate.protocol.Replay;
import dev.tidegate.protocol.ServerFrames.Recovery;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.util.concurrent.MockTicker;
import io.netty.util.concurrent.Ticker;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The transition table of {@link ReplayMerge}, edge by edge. */
class ReplayMergeTest {
    private static final ReplayMerge.Limits LIMITS =
            new ReplayMerge.Limits(4, 2_000, ms(2_000), ms(5_000), ms(2_000), ms(400));

    private final UnpooledByteBufAllocator allocator = new UnpooledByteBufAllocator(true);
    private final MockTicker clock = Ticker.newMockTicker();
    private final EmbeddedChannel channel =
            EmbeddedChannel.builder().ticker(clock).build();
    private final List<Replay.Request> asked = new ArrayList<>();
    private final List<ReplaySource.Listener> answers = new ArrayList<>();
    private final List<Integer> cancelled = new ArrayList<>();
    private final ReplayMerge.Connection connection =
            new ReplayMerge.Connection(this::fetch, channel.eventLoop(), LIMITS, new Random(1));
    private final Scripted target = new Scripted();
    private Batches batches;

    @BeforeEach
    void makeBatches() throws InterruptedException {
        batches = new Batches(allocator);
        batches.want("c", false);
    }

    @AfterEach
    void nothingIsLeftInUse() {
        assertThat(allocator.metric().usedDirectMemory()).isZero();
        assertThat(allocator.metric().usedHeapMemory()).isZero();
    }

    private static long ms(long millis) {
        return TimeUnit.MILLISECONDS.toNanos(millis);
    }

    private Runnable fetch(Replay.Request request, ReplaySource.Listener listener) {
        int n = asked.size();
        asked.add(request);
        answers.add(listener);
        return () -> cancelled.add(n);
    }

    private static Cursor at(long offset) {
        return new Cursor("epoch000", 0, offset);
    }

    /** Notes what the client would be told. */
    private static final class Scripted implements ReplayMerge.Target {
        final List<String> told = new ArrayList<>();
        long tail = 10;
        long movedTo = Long.MIN_VALUE;
        boolean writable = true;
        boolean moving = true;

        @Override
        public ChannelName channel() {
            return new ChannelName("c");
        }

        @Override
        public Cursor tailPosition() {
            return at(tail);
        }

        @Override
        public @Nullable Cursor movedTo(Cursor left) {
            return left.partition() == 3 && movedTo >= Cursor.BEFORE_FIRST ? at(movedTo) : null;
        }

        @Override
        public boolean writable() {
            return writable;
        }

        @Override
        public boolean tailIsMoving() {
            return moving;
        }

        @Override
        public void starts(Cursor position, boolean tell) {
            throw new AssertionError("nothing is looked up here");
        }

        @Override
        public void begun(Cursor splice, Recovery recovery, long replayed) {
            told.add(recovery.wire() + " " + splice.offset() + " " + replayed);
        }

        @Override
        public void gap(Gap gap) {
            told.add("gap " + gap.after().offset() + " " + gap.cursor().offset() + " "
                    + gap.reason().wire());
        }

        @Override
        public void replayed(List<Replayed> events) {
            events.forEach(e -> told.add("replayed " + e.cursor().offset()));
        }

        @Override
        public void covered(Cursor position) {
            told.add("covered " + position.offset());
        }

        @Override
        public void live(LoopBatch segment, int fromEvent) {
            told.add("live " + segment.offset(0, fromEvent) + " to " + segment.lastOffset(0));
        }

        @Override
        public void spliced(Cursor position) {
            told.add("spliced " + position.offset());
        }

        @Override
        public void failed(ErrorCode code, String message, boolean begun) {
            told.add("failed " + code.wire() + (begun ? " begun" : ""));
        }

        @Override
        public void progressed() {
            // Nothing to flush.
        }
    }

    private ReplayMerge after(long offset) {
        return new ReplayMerge(target, connection, at(offset), -1, at(target.tail), false);
    }

    private void live(ReplayMerge merge, long firstOffset, int events) throws InterruptedException {
        String[] records = new String[2 * events];
        for (int i = 0; i < events; i++) {
            records[2 * i] = "c";
            records[2 * i + 1] = "1";
        }
        LoopBatch batch = batches.batch(firstOffset, records);
        if (merge.wants(batch.lastOffset(0))) {
            merge.onLive(batch);
        }
        batch.release();
    }

    private void answer(int fetch, long end, boolean complete, long... events) {
        for (long e : events) {
            answers.get(fetch).event(at(e), -1, new byte[0]);
        }
        answers.get(fetch).end(new Replay.End(0, at(end), complete, null, null, null, null));
        channel.runPendingTasks();
    }

    private void error(int fetch, ErrorCode code) {
        answers.get(fetch).end(new Replay.End(0, at(0), false, null, null, code, "for a test"));
        channel.runPendingTasks();
    }

    private void pass(ReplayMerge merge, long millis) {
        for (long t = 0; t < millis; t += 250) {
            clock.advanceMillis(250);
            merge.onTick();
        }
    }

    @Test
    void asksForFewerEventsWhereTheyAreLarge() {
        // given
        target.tail = 100;
        ReplayMerge merge = after(4);
        merge.start();

        // when: a page of two events that together are a page and a half
        for (long e : new long[] {5, 6}) {
            answers.get(0).event(at(e), -1, new byte[ReplayMerge.PAGE_BYTES * 3 / 4]);
        }
        answer(0, 6, false);
        answer(1, 7, false, 7);
        answer(2, 100, true);

        // then: one at a time, and as many as are allowed once they are small
        assertThat(asked).extracting(Replay.Request::limit).containsExactly(4, 1, 4);
        assertThat(merge.state()).isEqualTo(State.LIVE);
    }

    @Test
    void bufferingToFetchingToLive() throws InterruptedException {
        // given
        ReplayMerge merge = after(4);
        live(merge, 10, 3);
        assertThat(merge.state()).isEqualTo(State.BUFFERING);

        // when
        merge.start();
        assertThat(merge.state()).isEqualTo(State.FETCHING);
        answer(0, 10, true, 5, 8);

        // then: what is live and covered by the splice is dropped
        assertThat(merge.state()).isEqualTo(State.LIVE);
        assertThat(asked.getFirst().upTo()).isEqualTo(10);
        assertThat(target.told)
                .containsExactly("complete 10 2", "replayed 5", "replayed 8", "spliced 10", "live 11 to 12");
    }

    @Test
    void bufferingToLiveWhenNothingWasMissed() {
        // given
        ReplayMerge merge = after(10);

        // when
        merge.start();

        // then
        assertThat(merge.state()).isEqualTo(State.LIVE);
        assertThat(asked).isEmpty();
        assertThat(target.told).containsExactly("complete 10 0", "spliced 10");
    }

    @Test
    void bufferingToLiveOnceTheTailHasComeToACursorAheadOfIt() throws InterruptedException {
        // given
        ReplayMerge merge = after(12);
        merge.start();
        assertThat(merge.state()).isEqualTo(State.BUFFERING);
        live(merge, 11, 4);

        // when
        target.tail = 14;
        merge.onTick();

        // then: from its own cursor on
        assertThat(merge.state()).isEqualTo(State.LIVE);
        assertThat(target.told).containsExactly("complete 12 0", "spliced 12", "live 13 to 14");
    }

    @Test
    void bufferingToFailedWhenTheTailDoesNotComeThere() {
        // given
        ReplayMerge beyond = after(12);
        beyond.start();

        // when
        pass(beyond, 2_500);

        // then
        assertThat(beyond.state()).isEqualTo(State.FAILED);
        assertThat(target.told).containsExactly("failed cursor_invalid");
    }

    @Test
    void cannotJudgeACursorAheadOfATailThatStandsStill() {
        // given
        target.moving = false;
        ReplayMerge beyond = after(12);
        beyond.start();

        // when
        pass(beyond, 2_500);

        // then
        assertThat(target.told).containsExactly("failed unavailable");
    }

    @Test
    void bufferingToFailedForACursorOfAnotherPartition() {
        // given
        ReplayMerge merge = new ReplayMerge(target, connection, new Cursor("epoch000", 3, 1), -1, at(10), false);

        // when
        merge.start();

        // then
        assertThat(target.told).containsExactly("failed cursor_invalid");
    }

    @Test
    void goesOnAfterAGapWhereTheChannelHasMovedTo() {
        // given
        target.movedTo = 6;
        ReplayMerge merge = new ReplayMerge(target, connection, new Cursor("epoch000", 3, 1), -1, at(10), false);

        // when
        merge.start();
        answers.get(0).failed("not now");
        channel.runPendingTasks();
        pass(merge, 1_000);
        answer(1, 10, true, 7, 9);

        // then
        assertThat(asked).extracting(Replay.Request::after).containsExactly(at(6), at(6));
        assertThat(target.told)
                .containsExactly("pending 10 -1", "gap 1 6 epoch", "replayed 7", "replayed 9", "spliced 10");
    }

    @Test
    void tellsOneGapWhereWhatTheChannelHasMovedToHasExpiredToo() {
        // given
        target.movedTo = Cursor.BEFORE_FIRST;
        ReplayMerge merge = new ReplayMerge(target, connection, new Cursor("epoch000", 3, 1), -1, at(10), false);
        merge.start();

        // when
        answers.get(0).gap(new Gap(at(-1), at(4), Gap.Reason.EXPIRED));
        answer(0, 8, false, 7);
        answer(1, 10, true, 9);

        // then
        assertThat(asked).extracting(Replay.Request::after).containsExactly(at(-1), at(7));
        assertThat(target.told)
                .containsExactly("gap 10 -1", "gap 1 4 epoch", "replayed 7", "covered 7", "replayed 9", "spliced 10");
    }

    @Test
    void asksNobodyWhereTheChannelHasMovedToAPartitionWithoutRecords() {
        // given
        target.movedTo = 10;
        ReplayMerge merge = new ReplayMerge(target, connection, new Cursor("epoch000", 3, 1), -1, at(10), false);

        // when
        merge.start();

        // then
        assertThat(asked).isEmpty();
        assertThat(target.told).containsExactly("gap 10 0", "gap 1 10 epoch", "spliced 10");
    }

    @Test
    void fetchingToCatchingUpPageByPage() {
        // given
        ReplayMerge merge = after(0);
        merge.start();

        // when
        answer(0, 4, false, 1, 2, 4);
        assertThat(merge.state()).isEqualTo(State.CATCHING_UP);
        assertThat(asked.get(1).after()).isEqualTo(at(4));
        answer(1, 10, true, 9);

        // then: the count was not known when it began
        assertThat(merge.state()).isEqualTo(State.LIVE);
        assertThat(target.told)
                .containsExactly(
                        "complete 10 -1",
                        "replayed 1",
                        "replayed 2",
                        "replayed 4",
                        "covered 4",
                        "replayed 9",
                        "spliced 10");
    }

    @Test
    void asksForTheNextPageOnlyOnceTheClientTakesMore() {
        // given
        ReplayMerge merge = after(0);
        merge.start();
        target.writable = false;
        answer(0, 4, false, 1);
        assertThat(asked).hasSize(1);

        // when: its own slowness is no reason to give up
        pass(merge, 20_000);
        assertThat(merge.state()).isEqualTo(State.CATCHING_UP);
        merge.onWritable();

        // then
        assertThat(asked).hasSize(2);
        answer(1, 10, true);
        assertThat(merge.state()).isEqualTo(State.LIVE);
    }

    @Test
    void fetchingToWaitingAndBack() {
        // given
        ReplayMerge merge = after(0);
        merge.start();

        // when
        answers.getFirst().event(at(1), -1, new byte[0]);
        answers.getFirst().failed("broken off");
        channel.runPendingTasks();

        // then: told at once, and nothing of the half page
        assertThat(merge.state()).isEqualTo(State.WAITING);
        assertThat(target.told).containsExactly("pending 10 -1");
        pass(merge, 500);
        assertThat(merge.state()).isEqualTo(State.FETCHING);
        answer(1, 10, true, 1);
        assertThat(target.told).containsExactly("pending 10 -1", "replayed 1", "spliced 10");
    }

    @Test
    void refusalsForNowAreTriedAgainAndRefusalsForGoodAreNot() {
        for (ErrorCode code : List.of(ErrorCode.UNAVAILABLE, ErrorCode.RATE_LIMITED, ErrorCode.INTERNAL)) {
            ReplayMerge merge = after(0);
            merge.start();
            error(asked.size() - 1, code);
            assertThat(merge.state()).isEqualTo(State.WAITING);
        }
        target.told.clear();
        ReplayMerge merge = after(0);
        merge.start();
        error(asked.size() - 1, ErrorCode.CHANNEL_INVALID);
        assertThat(merge.state()).isEqualTo(State.FAILED);
        assertThat(target.told).containsExactly("failed channel_invalid");
    }

    @Test
    void aFailureAfterPendingSaysThatItHadBegun() {
        // given
        ReplayMerge merge = after(0);
        merge.start();
        pass(merge, 2_500);
        assertThat(target.told).containsExactly("pending 10 -1");

        // when
        error(0, ErrorCode.BAD_REQUEST);

        // then
        assertThat(target.told).last().isEqualTo("failed bad_request begun");
    }

    @Test
    void givesAFetchUpThatIsNotAnsweredAndIgnoresItsLateAnswer() {
        // given
        ReplayMerge merge = after(0);
        merge.start();

        // when
        pass(merge, 6_000);

        // then
        assertThat(asked).hasSize(2);
        assertThat(cancelled).containsExactly(0);
        answer(0, 10, true, 7);
        assertThat(target.told).containsExactly("pending 10 -1");
        answer(1, 10, true, 1);
        assertThat(target.told).containsExactly("pending 10 -1", "replayed 1", "spliced 10");
    }

    @Test
    void doesNotAskAgainAtOnceWhenTheServiceDoesNotGetOn() {
        // given
        ReplayMerge merge = after(0);
        merge.start();

        // when
        answer(0, 0, false);

        // then
        assertThat(merge.state()).isEqualTo(State.WAITING);
        assertThat(asked).hasSize(1);
    }

    @Test
    void anAnswerThatOnlyClaimsToBeCompleteIsNot() {
        // given
        ReplayMerge merge = after(0);
        merge.start();

        // when
        answer(0, 7, true, 3);

        // then: on from what the client knows of
        assertThat(merge.state()).isEqualTo(State.CATCHING_UP);
        assertThat(asked.get(1).after()).isEqualTo(at(3));
        answer(1, 10, true);
    }

    @Test
    void anAnswerOfAnotherIncarnationIsNoAnswer() {
        // given
        ReplayMerge merge = after(0);
        merge.start();

        // when
        answers.getFirst().end(new Replay.End(0, new Cursor("epoch001", 0, 10), true, null, null, null, null));
        channel.runPendingTasks();

        // then
        assertThat(merge.state()).isEqualTo(State.WAITING);
    }

    @Test
    void cutsReplayAndGapsOffWhereLiveTakesOver() throws InterruptedException {
        // given
        ReplayMerge merge = after(0);
        merge.start();
        live(merge, 11, 2);

        // when: the service knows of more than was asked for
        answers.getFirst().gap(new Gap(at(0), at(11), Gap.Reason.EXPIRED));
        answer(0, 12, true, 11, 12);

        // then
        assertThat(target.told).containsExactly("gap 10 0", "gap 0 10 expired", "spliced 10", "live 11 to 12");
    }

    @Test
    void tellsAGapForAForeignCursorEvenIfTheServiceDoesNot() {
        // given
        Cursor foreign = new Cursor("epochXYZ", 5, 99);
        ReplayMerge merge = new ReplayMerge(target, connection, foreign, -1, at(10), false);
        merge.start();

        // when
        answer(0, 10, true, 3);

        // then
        assertThat(target.told).containsExactly("gap 10 1", "gap 99 -1 epoch", "replayed 3", "spliced 10");
    }

    @Test
    void asksOnceMoreUpToTheTailWhenTheBufferHasAHole() throws InterruptedException {
        // given: more than the budget holds
        ReplayMerge merge = after(0);
        merge.start();
        for (int i = 0; i < 20; i++) {
            live(merge, 11 + i, 1);
        }
        assertThat(merge.overflowed()).isTrue();
        target.tail = 30;

        // when
        answer(0, 10, true, 4);
        live(merge, 31, 1);

        // then
        assertThat(merge.state()).isEqualTo(State.CATCHING_UP);
        assertThat(asked.get(1).after()).isEqualTo(at(10));
        assertThat(asked.get(1).upTo()).isEqualTo(30);
        answer(1, 30, true, 11, 29);
        assertThat(target.told)
                .containsExactly(
                        "complete 10 -1",
                        "replayed 4",
                        "covered 10",
                        "replayed 11",
                        "replayed 29",
                        "spliced 30",
                        "live 31 to 31");
    }

    @Test
    void recordsThatExpiredBeforeTheyWereReadAreAHoleToo() throws InterruptedException {
        // given
        ReplayMerge merge = after(4);
        merge.start();
        live(merge, 11, 1);

        // when
        merge.onLiveLost();
        target.tail = 50;
        answer(0, 10, true);

        // then: the log tells the gap
        answers.get(1).gap(new Gap(at(10), at(40), Gap.Reason.EXPIRED));
        answer(1, 50, true, 45);
        assertThat(target.told)
                .containsExactly("complete 10 -1", "covered 10", "gap 10 40 expired", "replayed 45", "spliced 50");
    }

    @Test
    void givesTheNewestOnes() {
        // given
        ReplayMerge merge = new ReplayMerge(target, connection, null, 2, at(10), false);

        // when
        merge.start();
        answer(0, 10, true, 3, 9);

        // then
        assertThat(asked.getFirst().last()).isEqualTo(2);
        assertThat(target.told).containsExactly("complete 10 2", "replayed 3", "replayed 9", "spliced 10");
    }

    @Test
    void theNewestOnesAreNotTheWholeHistoryWhenTheServiceDoesNotGetOn() {
        // given
        ReplayMerge merge = new ReplayMerge(target, connection, null, 2, at(10), false);
        merge.start();

        // when
        answer(0, -1, false);
        pass(merge, 500);

        // then
        assertThat(asked.get(1).last()).isEqualTo(2);
        assertThat(asked.get(1).after()).isNull();
    }

    @Test
    void cancelledFromEveryState() throws InterruptedException {
        // given
        ReplayMerge buffering = after(0);
        live(buffering, 11, 1);
        ReplayMerge fetching = after(0);
        fetching.start();
        live(fetching, 12, 1);

        // when
        buffering.cancel();
        fetching.cancel();
        answer(0, 10, true, 1);

        // then
        assertThat(buffering.state()).isEqualTo(State.CANCELLED);
        assertThat(fetching.state()).isEqualTo(State.CANCELLED);
        assertThat(cancelled).containsExactly(0);
        assertThat(target.told).isEmpty();
    }

    @Test
    void aParkedClientIsNotToldAgainThatItIsSubscribed() {
        // given
        ReplayMerge merge = new ReplayMerge(target, connection, at(3), -1, at(10), true);

        // when
        merge.start();
        answer(0, 10, true, 4);

        // then
        assertThat(target.told).containsExactly("replayed 4", "spliced 10");
    }

    @Test
    void aSourceThatThrowsIsASourceThatIsAway() {
        // given
        ReplayMerge.Connection broken = new ReplayMerge.Connection(
                (request, listener) -> {
                    throw new IllegalStateException("for a test");
                },
                channel.eventLoop(),
                LIMITS,
                new Random(1));
        ReplayMerge merge = new ReplayMerge(target, broken, at(0), -1, at(10), false);

        // when
        merge.start();

        // then
        assertThat(merge.state()).isEqualTo(State.WAITING);
        assertThat(target.told).containsExactly("pending 10 -1");
    }
}
