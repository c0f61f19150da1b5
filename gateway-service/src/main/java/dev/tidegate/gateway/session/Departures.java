package dev.tidegate.gateway.session;

import java.util.ArrayDeque;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Sends connections elsewhere, a few at a time: all of them when the gateway goes down, some while it is under more
 * pressure than it can bear. Each is asked to reconnect after a time with jitter, and closed with 4001; until its turn
 * comes it is served like any other. So neither its clients nor the gateways they go to are met by all of it at once, even
 * if a client does not wait as it is asked to. Loop-confined.
 */
final class Departures {
    /** Between two groups. */
    static final int STEP_MS = 50;

    /** Most milliseconds a client is asked to wait when its turn has come: its group does not come back as one. */
    static final int JITTER_MS = 500;

    /** The same under pressure: the client is not wanted back at once. */
    static final int REBALANCE_MS = 10_000;

    private final LoopShard shard;
    private boolean draining;

    Departures(LoopShard shard) {
        this.shard = shard;
    }

    /** Whether whoever comes now is sent on at once. */
    boolean draining() {
        return draining;
    }

    /**
     * Sends all of them elsewhere.
     *
     * @param spreadMs over how many milliseconds
     * @param done counted down once every client has been told and its close frame written
     */
    void all(int spreadMs, CountDownLatch done) {
        assert shard.loop.inEventLoop();
        draining = true;
        ArrayDeque<Session> left = new ArrayDeque<>();
        shard.sweep().forEach(left::add);
        int groups = Math.max(1, spreadMs / STEP_MS);
        next(left, Math.max(1, Math.ceilDiv(left.size(), groups)), done);
    }

    private void next(ArrayDeque<Session> left, int group, CountDownLatch done) {
        for (int i = 0; i < group && !left.isEmpty(); i++) {
            shard.guarded(left.remove(), this::sendOn);
        }
        shard.flushDirty();
        if (left.isEmpty()) {
            done.countDown();
        } else {
            var _ = shard.loop.schedule(() -> next(left, group, done), STEP_MS, TimeUnit.MILLISECONDS);
        }
    }

    /** Sends one elsewhere, because this gateway goes down. */
    void sendOn(Session session) {
        session.reconnect(shard.random.nextInt(JITTER_MS + 1), "drain");
    }

    /** Sends so many elsewhere that this loop can bear the others. */
    void some(int count) {
        assert shard.loop.inEventLoop();
        shard.sweep()
                .some(
                        count,
                        session -> shard.guarded(session, s -> {
                            s.reconnect(REBALANCE_MS / 10 + shard.random.nextInt(REBALANCE_MS), "rebalance");
                            shard.shared.metrics().rebalanced.increment();
                        }));
        shard.flushDirty();
    }
}
