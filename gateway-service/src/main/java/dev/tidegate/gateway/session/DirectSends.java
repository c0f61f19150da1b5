package dev.tidegate.gateway.session;

import dev.tidegate.gateway.fanout.LoopBatch;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The writes of a broadcast that go past the transport, through the shard's {@link SendRing}, if it has one. Loop-confined;
 * empty between two batches.
 *
 * <p>A connection's bytes stay in order because a send is put into the ring only while the transport holds nothing for its
 * socket, because there is never more than one send of a socket in the ring, and because whoever writes to a connection
 * through the transport while a batch is being delivered calls {@link #before} first: what the socket did not take of a
 * send is written through the transport when the ring is flushed, and must come before what follows it.
 */
final class DirectSends {
    private static final Logger LOG = LoggerFactory.getLogger(DirectSends.class);

    private final LoopShard shard;
    private @Nullable SendRing ring;
    private final @Nullable Session[] sessions = new @Nullable Session[SendRing.ENTRIES];
    private final int[] segments = new int[SendRing.ENTRIES];
    private @Nullable LoopBatch batch;

    /** Counts the flushes; a session notes the one that its send is waiting for. */
    private int turn = 1;

    DirectSends(LoopShard shard) {
        this.shard = shard;
    }

    /** Opens the ring where one can be had; on the loop. */
    void open() {
        ring = SendRing.open(this::incomplete);
    }

    void close() {
        SendRing r = ring;
        ring = null;
        if (r != null) {
            r.close();
        }
    }

    boolean hasRing() {
        return ring != null;
    }

    /**
     * Sends a segment past the transport, with the next {@link #flush}; false if it has to go through it.
     *
     * @param frames the batch's frames as this session takes them
     */
    boolean offer(Session session, LoopBatch of, int segment, LoopBatch.Frames frames) {
        SendRing r = ring;
        if (r == null) {
            return false;
        }
        if (session.ringTurn == turn || r.queued() == SendRing.ENTRIES) {
            flush();
        }
        int socket = session.directSocket(); // after the flush, which may have left the transport something to write
        r = ring;
        if (socket < 0 || r == null) {
            return false;
        }
        int tag = r.queued();
        session.ringTurn = turn;
        sessions[tag] = session;
        segments[tag] = segment;
        batch = of;
        r.send(socket, frames.address(segment), frames.bytes(segment), tag);
        return true;
    }

    /** Something is about to be written to this session through the transport. */
    void before(Session session) {
        if (session.ringTurn == turn) {
            flush();
        }
    }

    /** Carries out what has been offered; nothing refers to the batch any more then. */
    void flush() {
        SendRing r = ring;
        if (r == null || r.queued() == 0) {
            return;
        }
        int used = r.queued();
        try {
            r.flush();
        } catch (RuntimeException e) {
            // Which of them went out is not known, and the ring still points into the batch.
            LOG.error("The send ring is given up, and the connections in it are closed", e);
            close();
            for (int i = 0; i < used; i++) {
                Session s = sessions[i];
                if (s != null) {
                    shard.broken(s, e);
                }
            }
        }
        Arrays.fill(sessions, 0, used, null);
        batch = null;
        turn++;
    }

    /** The socket did not take all of it: the rest goes through the transport, which waits for the socket. */
    private void incomplete(int tag, int result) {
        Session session = sessions[tag];
        LoopBatch of = batch;
        if (session != null && of != null) {
            int segment = segments[tag];
            session.write(of.frames(segment, session.deflates()).rest(segment, Math.max(result, 0)));
        }
    }
}
