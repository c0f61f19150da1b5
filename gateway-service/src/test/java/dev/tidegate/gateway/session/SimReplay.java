package dev.tidegate.gateway.session;

import dev.tidegate.gateway.resume.FairQueue;
import dev.tidegate.gateway.resume.ReplaySource;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.EventFrames;
import dev.tidegate.protocol.FanoutRecord;
import dev.tidegate.protocol.FrameBuffer;
import dev.tidegate.protocol.Gap;
import dev.tidegate.protocol.Replay;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;

/**
 * A replay service that answers from the model's log: late, in pages, in another order than asked, and as badly as {@link
 * #trouble} says. What it says is always true; what it does not do is answer.
 */
final class SimReplay implements ReplaySource {
    private final Random random;
    private final LongSupplier clock;
    private final Consumer<String> trace;
    private final List<Pending> pending = new ArrayList<>();

    /** Where requests wait for their turn in histories in which the service is busy; null: each is answered when it is due. */
    private final FairQueue<Pending> inTurn;

    /** Of each connection that waits there: the others that were served since it was its turn to be. */
    private final IdentityHashMap<Object, Set<Object>> passedBy = new IdentityHashMap<>();

    private final IdentityHashMap<Object, Integer> waiting = new IdentityHashMap<>();
    private final FrameBuffer json = new FrameBuffer(256);
    private final FanoutRecord view = new FanoutRecord();

    /** The incarnation the service reads; it notices a recreated topic at a time of its own. */
    SimLog log;

    /** Share of the requests, in percent, that end badly. */
    int trouble;

    /** Requests answered with a refusal that is final. */
    int refusals;

    int answers;

    private final class Pending {
        final Replay.Request request;
        final Listener listener;
        long due;
        boolean cancelled;

        Pending(Replay.Request request, Listener listener) {
            this.request = request;
            this.listener = listener;
            this.due = clock.getAsLong() + random.nextInt(300) * 1_000_000L;
        }
    }

    /**
     * Whether a page's chain begins at the cursor it was asked with, which is as true as the event before: what the real
     * service does when it has to read Kafka. A stream of events over SSE is not told positions exact enough to check that.
     */
    boolean chainsFromCursor;

    SimReplay(Random random, LongSupplier clock, SimLog log, Consumer<String> trace) {
        this.trace = trace;
        this.random = random;
        this.clock = clock;
        this.log = log;
        this.inTurn = random.nextBoolean() ? null : new FairQueue<>(3 + random.nextInt(20));
    }

    @Override
    public Runnable fetch(Replay.Request request, Listener listener) {
        Pending p = new Pending(request, listener);
        if (inTurn == null) {
            pending.add(p);
        } else if (inTurn.offer(listener.turn(), p)) {
            if (waiting.merge(listener.turn(), 1, Integer::sum) == 1) {
                passedBy.put(listener.turn(), Collections.newSetFromMap(new IdentityHashMap<>()));
            }
        } else {
            listener.failed("the queue is full");
        }
        return () -> p.cancelled = true;
    }

    /** Answers one of the requests that are due; false if there is none. */
    boolean step() {
        Pending first = inTurn == null ? null : inTurn.poll();
        if (first != null) {
            served(first.listener.turn());
            pending.add(first);
        }
        long now = clock.getAsLong();
        List<Pending> due = pending.stream().filter(p -> now - p.due >= 0).toList();
        if (due.isEmpty()) {
            return false;
        }
        Pending p = due.get(random.nextInt(due.size()));
        pending.remove(p);
        if (p.cancelled && random.nextBoolean()) {
            return true;
        }
        answers++;
        if (random.nextInt(100) < trouble) {
            fail(p);
        } else {
            answer(p.request, p.listener);
            if (random.nextInt(20) == 0) {
                p.listener.failed("after the end"); // a source may stumble after its end; it must not count
            }
        }
        return true;
    }

    /** Nobody is served twice while another connection waits. */
    private void served(Object owner) {
        passedBy.remove(owner);
        for (Set<Object> others : passedBy.values()) {
            if (!others.add(owner)) {
                throw new AssertionError("a connection was served twice while another one waited");
            }
        }
        if (waiting.merge(owner, -1, Integer::sum) > 0) {
            passedBy.put(owner, Collections.newSetFromMap(new IdentityHashMap<>()));
        } else {
            waiting.remove(owner);
        }
    }

    private void fail(Pending p) {
        Replay.Request r = p.request;
        switch (random.nextInt(8)) {
            case 0 -> {
                // No answer at all.
            }
            case 1 -> p.listener.failed("connection refused");
            case 2 -> {
                for (SimLog.Event e : log.events(r.channel().value(), after(r), r.upTo())) {
                    if (random.nextInt(3) > 0) {
                        event(p.listener, e, e.prev());
                    }
                }
                p.listener.failed("broken off");
            }
            case 3 -> error(p.listener, r, ErrorCode.UNAVAILABLE);
            case 4 -> error(p.listener, r, ErrorCode.RATE_LIMITED);
            case 5 -> error(p.listener, r, ErrorCode.INTERNAL);
            case 6 -> {
                p.due = clock.getAsLong() + random.nextInt(8_000) * 1_000_000L; // very late
                pending.add(p);
            }
            default -> {
                if (random.nextInt(4) == 0) {
                    refusals++;
                    error(p.listener, r, ErrorCode.BAD_REQUEST);
                } else {
                    // Nothing of it yet: asks the gateway to come again.
                    Cursor at = r.after() == null ? r.target().at(-1) : r.after();
                    p.listener.end(new Replay.End(0, at, false, null, null, null, null));
                }
            }
        }
    }

    private long after(Replay.Request r) {
        return r.after() == null ? -1 : r.after().offset();
    }

    private static void error(Listener listener, Replay.Request r, ErrorCode code) {
        listener.end(new Replay.End(0, r.target(), false, null, null, code, "for a test"));
    }

    private void answer(Replay.Request r, Listener listener) {
        SimLog log = this.log;
        if (!r.epoch().equals(log.epoch)) {
            listener.end(new Replay.End(
                    0, new Cursor(log.epoch, 0, log.end(0)), false, null, Replay.Tier.KAFKA, null, null));
            return;
        }
        String channel = r.channel().value();
        long first = log.start[r.partition()];
        Cursor after = r.after();
        Gap gap = null;
        long from;
        List<SimLog.Event> events;
        if (after == null) {
            from = first - 1;
            events = log.events(channel, from, r.upTo());
            events = events.subList(Math.max(0, events.size() - r.last()), events.size());
        } else {
            if (!after.epoch().equals(log.epoch)) {
                from = random.nextBoolean() ? first - 1 : Math.max(first - 1, r.upTo());
                gap = new Gap(after, r.target().at(from), Gap.Reason.EPOCH);
            } else if (after.offset() < first - 1) {
                from = first - 1;
                gap = new Gap(after, r.target().at(from), Gap.Reason.EXPIRED);
            } else {
                from = after.offset();
            }
            events = log.events(channel, from, r.upTo());
        }
        int page = Math.min(r.limit(), 1 + random.nextInt(4));
        boolean complete = events.size() <= page;
        List<SimLog.Event> sent = complete ? events : events.subList(0, page);
        if (gap != null && random.nextBoolean()) {
            listener.gap(gap);
        }
        for (int i = 0; i < sent.size(); i++) {
            SimLog.Event e = sent.get(i);
            boolean chained = chainsFromCursor && i == 0 && after != null;
            event(listener, e, chained ? Math.max(from, e.prev()) : e.prev());
        }
        long at = complete ? Math.max(r.upTo(), from) : sent.getLast().offset();
        if (!complete && random.nextBoolean()) {
            at = events.get(page).offset() - 1; // it knows that nothing comes in between
        }
        trace.accept("replay: " + r + " -> " + gap + ", " + sent.size() + " events, at " + at + " " + complete);
        listener.end(new Replay.End(0, r.target().at(at), complete, gap, Replay.Tier.MEMORY, null, null));
    }

    private void event(Listener listener, SimLog.Event e, long prev) {
        int partition = log.partitionOf(e.channel());
        ConsumerRecord<byte[], byte[]> record = log.record(partition, e.offset());
        view.wrap(record.key(), record.value(), record.timestamp());
        for (Header h : record.headers()) {
            view.header(h.key(), h.value());
        }
        EventFrames.encode(json.clear(), log.epoch, partition, e.offset(), prev, view, true);
        listener.event(new Cursor(log.epoch, partition, e.offset()), prev, json.toBytes());
    }
}
