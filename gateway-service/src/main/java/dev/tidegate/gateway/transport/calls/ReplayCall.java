package dev.tidegate.gateway.transport.calls;

import dev.tidegate.gateway.resume.ReplaySource;
import dev.tidegate.protocol.ProtocolException;
import dev.tidegate.protocol.Replay;
import io.netty.buffer.ByteBuf;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One {@code POST /v1/replay} under way: dispatches the lines of its answer. The requests are answered one after the
 * other, in their order, so the answer to each is passed on as it arrives and nothing but the line in progress is held.
 * Confined to one event loop.
 */
final class ReplayCall {
    private static final Logger LOG = LoggerFactory.getLogger(ReplayCall.class);

    /**
     * Longest line: an event frame of the largest payload there may be (a Kafka message of 1 MiB, every byte of which
     * needs six as a JSON string) would be 6 MiB; payloads of the default limit (64 KiB) stay below 0.4.
     */
    private static final int MAX_LINE_BYTES = 8 << 20;

    /** A request that waits for its answer, and others that are content with the same one. */
    static final class Pending {
        Replay.Request request;
        private final ReplaySource.Listener listener;
        private @Nullable List<Pending> shared;
        private @Nullable Pending place; // whose place in the queue it has while it waits: its own or that of its like
        private int waiting; // of a place: listeners that still wait there
        private volatile boolean cancelled; // set by the session's thread, read by the call's

        Pending(Replay.Request request, ReplaySource.Listener listener) {
            this.request = request;
            this.listener = listener;
        }

        void cancel() {
            cancelled = true;
        }

        /** Whose request it is. */
        Object turn() {
            return listener.turn();
        }

        /** It waits for a call, in a place of its own. */
        void waits() {
            place = this;
            waiting = 1;
        }

        /** In whose place it waits; null if it does not. */
        @Nullable
        Pending place() {
            return place;
        }

        /** It is cancelled and leaves its place, which others may still need. */
        void leavePlace() {
            Pending p = place;
            if (p == null) {
                return;
            }
            place = null;
            p.waiting--;
            List<Pending> s = p.shared;
            if (s != null && p.waiting < s.size() / 2) { // what is gone is let go of now and then, not one by one
                s.removeIf(other -> other.place == null);
            }
        }

        /** Its place is given up, for a call: those who wait there travel together. */
        void travels() {
            place = null;
            if (shared != null) {
                shared.forEach(other -> other.place = null);
            }
        }

        /** Another one that asks for the same, maybe up to further on, gets the same answer. */
        void share(Pending other) {
            other.place = this;
            waiting++;
            List<Pending> s = shared;
            if (s == null) {
                s = new ArrayList<>(2);
                shared = s;
            }
            s.add(other);
            if (other.request.upTo() > request.upTo()) {
                request = other.request;
            }
        }

        /** How many still wait in this place. */
        int listeners() {
            return waiting;
        }

        /** Whether nobody waits for the answer any more. */
        boolean cancelled() {
            if (!cancelled) {
                return false;
            }
            if (shared != null) {
                for (Pending p : shared) {
                    if (!p.cancelled) {
                        return false;
                    }
                }
            }
            return true;
        }

        void fail(String why) {
            tell(l -> l.failed(why));
        }

        void tell(Consumer<ReplaySource.Listener> what) {
            tellOwn(what);
            if (shared != null) {
                for (Pending p : shared) {
                    p.tellOwn(what);
                }
            }
        }

        /** A listener that throws has broken its contract; the others of the call must not suffer for it. */
        private void tellOwn(Consumer<ReplaySource.Listener> what) {
            if (cancelled) {
                return;
            }
            try {
                what.accept(listener);
            } catch (RuntimeException e) {
                cancelled = true;
                LOG.error("the listener of a replay of {} failed", request.channel(), e);
            }
        }
    }

    private final List<Pending> requests;
    private final LineSplitter splitter = new LineSplitter(MAX_LINE_BYTES, this::line);
    private int answered;

    /** @param requests in the order of the call, at most {@link Replay#MAX_REQUESTS} */
    ReplayCall(List<Pending> requests) {
        this.requests = requests;
    }

    /**
     * The next bytes of the answer.
     *
     * @throws IllegalStateException if they are not an answer to this call
     */
    void bytes(ByteBuf bytes) {
        try {
            splitter.accept(bytes);
        } catch (ProtocolException e) {
            throw new IllegalStateException("a line that is no answer: " + e.text(), e);
        }
    }

    /**
     * Whether there are requests still waiting and every one has been cancelled. Not once all have been answered: then only
     * the end of the response is missing, and who does not wait for it loses the connection.
     */
    boolean abandoned() {
        if (answered == requests.size()) {
            return false;
        }
        for (int i = answered; i < requests.size(); i++) {
            if (!requests.get(i).cancelled()) {
                return false;
            }
        }
        return true;
    }

    /** The answer has ended. */
    void ended() {
        if (answered < requests.size()) {
            failed("the answer broke off after " + answered + " of " + requests.size() + " requests");
        }
    }

    /** There will be no more of the answer. */
    void failed(String why) {
        while (answered < requests.size()) {
            requests.get(answered++).fail(why);
        }
    }

    private void line(byte[] line) {
        if (answered == requests.size()) {
            throw new IllegalStateException("a line after the last answer");
        }
        Pending pending = requests.get(answered);
        Replay.Line decoded = Replay.decodeLine(line);
        if (decoded instanceof Replay.Line.Ended(Replay.End end) && end.request() != answered) {
            throw new IllegalStateException("the end of answer " + end.request() + " inside answer " + answered);
        }
        if (decoded instanceof Replay.Line.Ended) {
            answered++; // before it is told: its listener may ask for the next page
        }
        pending.tell(listener -> tell(listener, decoded));
    }

    private static void tell(ReplaySource.Listener listener, Replay.Line line) {
        switch (line) {
            case Replay.Line.Event e -> listener.event(e.cursor(), e.prev(), e.frame());
            case Replay.Line.GapLine g -> listener.gap(g.gap());
            case Replay.Line.Ended e -> listener.end(e.end());
        }
    }
}
