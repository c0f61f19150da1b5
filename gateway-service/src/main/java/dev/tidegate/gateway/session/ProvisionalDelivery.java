package dev.tidegate.gateway.session;

import dev.tidegate.gateway.fanout.ProvisionalBatch;
import dev.tidegate.gateway.fanout.ShardInbox;
import dev.tidegate.gateway.metrics.GatewayMetrics;
import dev.tidegate.gateway.metrics.GatewayMetrics.CopyLoss;
import io.netty.buffer.ByteBuf;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.Semaphore;

/**
 * Writes what comes over the Redis tier to a loop's live subscribers. It moves no position and parks nobody. Whoever does
 * not get an event (resuming, parked, slow) is noted, and gets it in full with its record; an ephemeral one has none and
 * is lost for them, counted. Loop-confined but for {@link #offer}.
 */
final class ProvisionalDelivery {
    private final LoopShard shard;
    private final Semaphore room = new Semaphore(ShardInbox.MAX_BATCHES);

    ProvisionalDelivery(LoopShard shard) {
        this.shard = shard;
    }

    void offer(ProvisionalBatch batch) throws InterruptedException {
        try {
            room.acquire();
        } catch (InterruptedException e) {
            batch.release();
            throw e;
        }
        try {
            shard.loop.execute(() -> {
                try {
                    deliver(batch);
                } finally {
                    batch.release();
                    room.release();
                }
            });
        } catch (RejectedExecutionException e) {
            batch.release(); // the loop has ended, and its connections with it
            room.release();
        }
    }

    private void deliver(ProvisionalBatch batch) {
        long written = 0;
        for (int e = 0; e < batch.events(); e++) {
            if (batch.interest(e).attachment(shard.index) instanceof ShardChannel channel) {
                written += deliver(channel, batch, e);
            }
        }
        shard.shared.metrics().provisional.add(written);
        shard.flushDirty();
    }

    private int deliver(ShardChannel channel, ProvisionalBatch batch, int event) {
        byte[] id = batch.id(event);
        if (id != null) {
            GatewayMetrics metrics = shard.shared.metrics();
            ProvisionalWindow window = channel.provisional;
            if (window == null) {
                window = new ProvisionalWindow(ProvisionalWindow.MAX_IDS);
                channel.provisional = window;
            }
            if (!window.delivered(id, ++channel.provisionalDeliveries)) {
                metrics.idsForgotten.increment();
            }
        }
        boolean ephemeral = id == null;
        int written = 0;
        for (int i = 0, n = channel.wsCount; i < n; i++) {
            written += deliver(channel, channel.ws[i], batch.ws(event), ephemeral);
        }
        for (int i = 0, n = channel.sseCount; i < n; i++) {
            written += deliver(channel, channel.sse[i], batch.sse(event), ephemeral);
        }
        return written;
    }

    /** @param frame empty for an event stream that joined after the event was encoded; given away */
    private int deliver(ShardChannel channel, Subscription sub, ByteBuf frame, boolean ephemeral) {
        Session session = sub.session;
        if (sub.live() && frame.isReadable() && session.writable()) {
            try {
                session.write(frame);
                return 1;
            } catch (RuntimeException | OutOfMemoryError e) {
                shard.broken(session, e); // what it gets from here on is nothing
                return 0;
            }
        }
        frame.release();
        if (ephemeral) {
            if (!session.writable()) {
                session.lostEphemeral();
            }
            shard.shared.metrics().copiesLost(CopyLoss.SLOW_CLIENT).increment();
        } else {
            sub.lastMissed = channel.provisionalDeliveries;
        }
        return 0;
    }
}
