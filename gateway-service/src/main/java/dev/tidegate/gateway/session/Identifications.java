package dev.tidegate.gateway.session;

import dev.tidegate.gateway.auth.TokenVerifier.Verdict;
import dev.tidegate.protocol.ClientFrame;
import dev.tidegate.protocol.CloseCode;
import dev.tidegate.protocol.ErrorCode;
import java.util.ArrayDeque;
import java.util.IdentityHashMap;

/**
 * The {@code connect} frames of one loop that are being judged. A client may send without waiting for replies, so what it
 * sends behind its {@code connect} waits for the verdict, in order. Mostly that is there at once; where the issuer's keys
 * have to be fetched, nothing more is read from the connection meanwhile, so that what waits is bounded by what one read
 * has brought. Loop-confined.
 */
final class Identifications {
    private final LoopShard shard;

    /** Of this loop's connections those that wait, each with the frames of one read at most. */
    private final IdentityHashMap<Session, ArrayDeque<ClientFrame>> judged = new IdentityHashMap<>();

    Identifications(LoopShard shard) {
        this.shard = shard;
    }

    /** Whether the session's frames have to wait for a verdict. */
    boolean isJudged(Session session) {
        return judged.containsKey(session);
    }

    /** Takes a frame that has to wait; false if it has not. */
    boolean holds(Session session, ClientFrame frame) {
        ArrayDeque<ClientFrame> held = judged.get(session);
        return held != null && held.add(frame);
    }

    void judge(Session session, ClientFrame.Connect frame) {
        judged.put(session, new ArrayDeque<>(2));
        shard.shared.tokens().verify(frame.token(), verdict -> {
            if (shard.loop.inEventLoop()) {
                decided(session, frame, verdict);
            } else {
                shard.loop.execute(() -> {
                    decided(session, frame, verdict);
                    shard.flushDirty();
                });
            }
        });
        if (isJudged(session)) {
            session.read(false);
        }
    }

    private void decided(Session session, ClientFrame.Connect frame, Verdict verdict) {
        ArrayDeque<ClientFrame> held = judged.remove(session);
        if (held == null) {
            return; // it has ended meanwhile
        }
        switch (verdict) {
            case Verdict.Accepted a -> ClientRequests.identified(session, frame, a.identity());
            case Verdict.Undecided u -> session.sendError(frame.id(), ErrorCode.UNAVAILABLE, u.message(), null);
            case Verdict.Rejected r -> {
                session.sendError(frame.id(), ErrorCode.UNAUTHENTICATED, r.message(), null);
                session.close(CloseCode.UNAUTHENTICATED, CloseCode.UNAUTHENTICATED.defaultReason());
            }
        }
        while (session.isOpen() && !held.isEmpty()) {
            ClientRequests.handle(session, held.remove()); // behind another connect frame the others wait again
        }
        session.read(!isJudged(session));
    }

    /** The session has ended. */
    void forget(Session session) {
        judged.remove(session);
    }
}
