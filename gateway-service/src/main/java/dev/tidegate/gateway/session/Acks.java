package dev.tidegate.gateway.session;

import dev.tidegate.gateway.fanout.Tail;
import dev.tidegate.gateway.session.DurableStore.Stored;
import dev.tidegate.protocol.ClientFrame;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.DurableCursors;
import dev.tidegate.protocol.DurableCursors.Ack;
import dev.tidegate.protocol.DurableCursors.CursorKey;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * The acknowledgements of one loop. A client may acknowledge every event; what is stored is the newest of each cursor, in batches,
 * one on its way at a time, so that a store that is slow or away makes batches larger and not the queue. Loop-confined.
 */
final class Acks {
    /** How long an acknowledgement waits for others, and for a newer one of its own cursor. */
    static final long WINDOW_NANOS = TimeUnit.MILLISECONDS.toNanos(5);

    /** Most cursors waiting; acknowledgements of further ones are refused as {@code unavailable}. About 200 bytes each. */
    static final int MAX_WAITING = 20_000;

    /** Who is told if a cursor is not stored: each connection once, with the id of its newest frame. */
    private static final class Waiting {
        Cursor cursor;
        final Map<Session, String> askers = new HashMap<>(2); // an empty id: none was given

        Waiting(Cursor cursor) {
            this.cursor = cursor;
        }
    }

    private final LoopShard shard;
    private final LinkedHashMap<CursorKey, Waiting> waiting = new LinkedHashMap<>();
    private boolean underWay; // a window that is open, or a batch

    Acks(LoopShard shard) {
        this.shard = shard;
    }

    /** A client's frame; whatever is wrong with it is told to the client. */
    void onFrame(Session session, ClientFrame.Ack frame) {
        shard.shared.metrics().acks.increment();
        try {
            shard.shared.access().checkSubscribe(session.identity(), frame.channel());
            CursorKey key = DurableStore.key(session.identity(), frame.durable(), frame.channel());
            check(frame);
            add(session, frame, key);
        } catch (ProtocolException e) {
            session.sendError(frame.id(), e.code(), e.text(), frame.channel().value());
        }
    }

    /**
     * A stored cursor never moves back, so one that the client cannot have would lock it out for good. Judged against this gateway's
     * tail: a client that was faster elsewhere is told, and acknowledges again with its next event.
     */
    private void check(ClientFrame.Ack frame) {
        if (!shard.hasTail()) {
            throw new ProtocolException(ErrorCode.UNAVAILABLE, "the fan-out log has not been reached yet");
        }
        Tail tail = shard.tail();
        Cursor cursor = frame.cursor();
        ClientRequests.requireOf(tail, "cursor", frame.channel(), cursor);
        int partition = tail.partitionOf(frame.channel().bytes());
        if (!cursor.epoch().equals(tail.epoch()) || cursor.partition() != partition) {
            // Of a topic before this one or not seen yet, or of before partitions were added: a gap for who resumes.
            return;
        }
        if (cursor.offset() > tail.position(partition)) {
            throw shard.tailIsMoving()
                    ? new ProtocolException(
                            ErrorCode.CURSOR_INVALID, "cursor: " + cursor + " lies beyond the end of the log")
                    : new ProtocolException(
                            ErrorCode.UNAVAILABLE,
                            "cursor: " + cursor + " cannot be judged now: the log cannot be read");
        }
    }

    private void add(Session session, ClientFrame.Ack frame, CursorKey key) {
        Waiting w = waiting.get(key);
        if (w == null) {
            if (waiting.size() >= MAX_WAITING) {
                throw new ProtocolException(
                        ErrorCode.UNAVAILABLE, "durable: " + MAX_WAITING + " cursors wait to be stored already");
            }
            w = new Waiting(frame.cursor());
            waiting.put(key, w);
        } else if (!isBehind(frame.cursor(), w.cursor)) {
            w.cursor = frame.cursor();
        }
        String id = frame.id();
        w.askers.put(session, id == null ? "" : id);
        if (!underWay) {
            underWay = true;
            var _ = shard.loop.schedule(this::send, WINDOW_NANOS, TimeUnit.NANOSECONDS);
        }
    }

    private static boolean isBehind(Cursor cursor, Cursor than) {
        return cursor.comparableTo(than) && cursor.offset() < than.offset();
    }

    private void send() {
        List<Ack> batch = new ArrayList<>(Math.min(waiting.size(), DurableCursors.MAX_BATCH));
        List<Waiting> sent = new ArrayList<>(batch.size());
        for (Iterator<Map.Entry<CursorKey, Waiting>> i = waiting.entrySet().iterator();
                i.hasNext() && batch.size() < DurableCursors.MAX_BATCH; ) {
            Map.Entry<CursorKey, Waiting> next = i.next();
            batch.add(new Ack(next.getKey(), next.getValue().cursor));
            sent.add(next.getValue());
            i.remove();
        }
        shard.shared.cursors().store(batch, stored -> shard.loop.execute(() -> onStored(batch, sent, stored)));
    }

    private void onStored(List<Ack> batch, List<Waiting> sent, Stored stored) {
        switch (stored) {
            case Stored.Done(List<Integer> refused) -> {
                for (int i : refused) {
                    tell(
                            batch.get(i),
                            sent.get(i),
                            ErrorCode.LIMIT_EXCEEDED,
                            "durable: this subject has its most cursors; those it has can be acknowledged");
                }
            }
            case Stored.Failed(ErrorCode code, String message) -> {
                for (int i = 0; i < sent.size(); i++) {
                    tell(batch.get(i), sent.get(i), code, message);
                }
            }
        }
        shard.flushDirty();
        underWay = !waiting.isEmpty();
        if (underWay) {
            send();
        }
    }

    private void tell(Ack ack, Waiting failed, ErrorCode code, String message) {
        shard.shared.metrics().acksFailed.increment();
        failed.askers.forEach((session, id) -> {
            if (session.isOpen()) {
                session.sendError(
                        id.isEmpty() ? null : id,
                        code,
                        message,
                        ack.key().channel().value());
            }
        });
    }

    /** Cursors waiting for their batch. */
    int waiting() {
        return waiting.size();
    }
}
