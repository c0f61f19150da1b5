package dev.tidegate.gateway.fanout;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import java.nio.charset.StandardCharsets;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.I_Result;
import org.openjdk.jcstress.infra.results.JI_Result;

/**
 * The race between subscribing and tailing (see {@link Tail}, docs/adr/050), for jcstress: run by {@link
 * SubscribeTailRaceTest}. The tailer's steps are those of {@link FanoutDispatcher}, in its order.
 */
public final class SubscribeTailRace {
    private static final byte[] CHANNEL = "c".getBytes(StandardCharsets.UTF_8);

    /** Where the tail stands before; the last event of the channel lies here. */
    private static final long BEFORE = 9;

    private SubscribeTailRace() {}

    /** What the tailer does with a batch that holds one record of the channel. */
    private static final class Tailer {
        final Tail tail;
        long loops; // that the record was dispatched to
        long prev = Interest.UNKNOWN;

        Tailer(Tail tail) {
            this.tail = tail;
        }

        void dispatch(long offset) {
            tail.advance(0, offset);
            Tail.beforeLookUp();
            Interest interest = tail.find(CHANNEL);
            if (interest == null) {
                return;
            }
            long wanted = interest.wsLoops;
            long p = interest.prevOf(offset);
            if (p != Interest.UNKNOWN) {
                interest.lastOffset = offset;
                loops = wanted;
                prev = p;
            }
        }
    }

    private static Tail tail() {
        return new Tail("epoch", new long[] {BEFORE}, 2);
    }

    /** One record, one subscriber: it is dispatched, or the subscriber's position covers it. */
    @JCStressTest
    @Outcome(id = "9, 1", expect = ACCEPTABLE, desc = "the tailer saw the interest: dispatched")
    @Outcome(id = "10, 0", expect = ACCEPTABLE, desc = "the subscriber's position covers the record")
    @Outcome(id = "10, 1", expect = ACCEPTABLE, desc = "both: dropped by its offset")
    @Outcome(id = "9, 0", expect = FORBIDDEN, desc = "lost: nobody wanted it, and it lies above the position")
    @State
    public static class OneSubscriber {
        private final Tail tail = tail();
        private final Tailer tailer = new Tailer(tail);

        @Actor
        public void loop(JI_Result r) {
            r.r1 = tail.join(CHANNEL, 0, false).position();
        }

        @Actor
        public void tailer(JI_Result r) {
            tailer.dispatch(BEFORE + 1);
            r.r2 = (int) tailer.loops;
        }
    }

    /**
     * The same between the two writes and the two reads alone, without the search in the table, which is so slow that a
     * store gets out of its buffer meanwhile: only here a missing fence shows.
     */
    @JCStressTest
    @Outcome(id = "9, 1", expect = ACCEPTABLE, desc = "the tailer saw the interest")
    @Outcome(id = "10, 0", expect = ACCEPTABLE, desc = "the subscriber's position covers the record")
    @Outcome(id = "10, 1", expect = ACCEPTABLE, desc = "both")
    @Outcome(id = "9, 0", expect = FORBIDDEN, desc = "lost")
    @State
    public static class Fences {
        private final Tail tail = tail();
        private final Interest interest = tail.join(CHANNEL, 1, false).interest();

        @Actor
        public void loop(JI_Result r) {
            r.r1 = interest.join(1L, false, tail);
        }

        @Actor
        public void tailer(JI_Result r) {
            tail.advance(0, BEFORE + 1);
            Tail.beforeLookUp();
            r.r2 = (int) (interest.wsLoops & 1);
        }
    }

    /**
     * Two loops join while the tailer brings two batches of one record each: nobody loses a record above its own position,
     * and each record's {@code prev} is not above the position of anybody it is news to, nor before the last event. (One
     * actor joins for both loops: a channel's joins exclude each other anyway.)
     */
    @JCStressTest
    @Outcome(id = "0", expect = ACCEPTABLE, desc = "nothing lost, every prev true")
    @Outcome(expect = FORBIDDEN, desc = "1: lost; 2: prev above a subscriber's position; 3: prev before the last event")
    @State
    public static class TwoLoopsJoin {
        private final Tail tail = tail();
        private final Tailer first = new Tailer(tail);
        private final Tailer second = new Tailer(tail);
        private final long[] position = new long[2];

        @Actor
        public void loops() {
            position[0] = tail.join(CHANNEL, 0, false).position();
            position[1] = tail.join(CHANNEL, 1, false).position();
        }

        @Actor
        public void tailer() {
            first.dispatch(BEFORE + 1);
            second.dispatch(BEFORE + 2);
        }

        @Arbiter
        public void judge(I_Result r) {
            for (int loop = 0; loop < 2; loop++) {
                long at = judged(r, first, BEFORE + 1, loop, position[loop], BEFORE);
                judged(r, second, BEFORE + 2, loop, at, BEFORE + 1);
            }
        }
    }

    /** The last loop leaves, which removes the channel, and another one joins it anew, while the tailer looks. */
    @JCStressTest
    @Outcome(id = "0", expect = ACCEPTABLE, desc = "nothing lost, every prev true")
    @Outcome(expect = FORBIDDEN, desc = "1: lost; 2: prev above a subscriber's position; 3: prev before the last event")
    @State
    public static class LeavesThenJoins {
        private final Tail tail = tail();
        private final Interest left = tail.join(CHANNEL, 0, false).interest();
        private final Tailer tailer = new Tailer(tail);
        private long position;

        @Actor
        public void loops() {
            tail.leave(left, 0, false);
            position = tail.join(CHANNEL, 1, false).position();
        }

        @Actor
        public void tailer() {
            tailer.dispatch(BEFORE + 1);
        }

        @Arbiter
        public void judge(I_Result r) {
            judged(r, tailer, BEFORE + 1, 1, position, BEFORE);
        }
    }

    /** The last loop leaves while another one joins: whoever joined is found by the tailer's next look. */
    @JCStressTest
    @Outcome(id = "0", expect = ACCEPTABLE, desc = "nothing lost, every prev true")
    @Outcome(expect = FORBIDDEN, desc = "1: lost; 2: prev above a subscriber's position; 3: prev before the last event")
    @State
    public static class LeavesAgainstJoins {
        private final Tail tail = tail();
        private final Interest left = tail.join(CHANNEL, 0, false).interest();
        private long position;

        @Actor
        public void leaver() {
            tail.leave(left, 0, false);
        }

        @Actor
        public void joiner() {
            position = tail.join(CHANNEL, 1, false).position();
        }

        @Arbiter
        public void judge(I_Result r) {
            Tailer tailer = new Tailer(tail);
            tailer.dispatch(BEFORE + 1);
            judged(r, tailer, BEFORE + 1, 1, position, BEFORE);
        }
    }

    /** Judges one record for one loop; returns the loop's position after it. */
    private static long judged(I_Result r, Tailer t, long offset, int loop, long position, long lastEvent) {
        if (position >= offset) {
            return position;
        }
        if ((t.loops >>> loop & 1) == 0) {
            r.r1 = 1;
        } else if (t.prev > position) {
            r.r1 = 2;
        } else if (t.prev < lastEvent) {
            r.r1 = 3;
        }
        return offset;
    }
}
