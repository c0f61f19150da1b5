package dev.tidegate.gateway.session;

import dev.tidegate.gateway.fanout.LoopBatch;
import dev.tidegate.gateway.resume.ReplayMerge;
import dev.tidegate.gateway.resume.Replayed;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.Gap;
import dev.tidegate.protocol.ServerFrames.Recovery;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One channel of one connection. Live when it has no merge; while it is parked (its connection takes no more) events are
 * passed over, and its position is where it will be resumed. Loop-confined.
 */
final class Subscription implements ReplayMerge.Target {
    final Session session;
    final ShardChannel channel;

    /** Place in the channel's array. */
    int index;

    /**
     * Everything up to here has been sent, or is covered by what the client was told. A live subscription's true position
     * is the larger of this and the channel's last offset; events at or below it are dropped.
     */
    long position;

    /** The number of the channel's last provisional delivery that this one did not get; see {@link ProvisionalWindow}. */
    int lastMissed;

    /** Passing over events because the connection does not take them. */
    boolean parked;

    /** Parked, and to get the newest events that its channel keeps; see {@link Conflation}. */
    boolean conflated;

    /** Joined by the gateway, not by the client: a subscribe of the client's own takes its place. */
    boolean automatic;

    /** Not null while what was missed is being fetched. */
    @Nullable
    ReplayMerge merge;

    /** The id of the subscribe frame, until it is answered. */
    @Nullable
    String requestId;

    Subscription(Session session, ShardChannel channel) {
        this.session = session;
        this.channel = channel;
    }

    boolean live() {
        return merge == null && !parked;
    }

    /** The position of a live subscription. */
    long livePosition() {
        return Math.max(position, channel.lastOffset);
    }

    /** Tells that events up to this offset were passed over and will not come; nothing if there can be none. */
    void overflow(long upTo) {
        if (upTo > position) {
            gap(new Gap(cursor(position), cursor(upTo), Gap.Reason.OVERFLOW));
        }
    }

    Cursor cursor(long offset) {
        return new Cursor(session.shard.tail().epoch(), channel.partition(), offset);
    }

    @Override
    public ChannelName channel() {
        return channel.name;
    }

    @Override
    public Cursor tailPosition() {
        return cursor(session.shard.tail().position(channel.partition()));
    }

    @Override
    public @Nullable Cursor movedTo(Cursor left) {
        Long offset = session.shard.tail().movedTo(channel.key, left.partition());
        return offset == null ? null : cursor(offset);
    }

    @Override
    public boolean writable() {
        return session.writable();
    }

    @Override
    public boolean tailIsMoving() {
        return session.shard.tailIsMoving();
    }

    @Override
    public void begun(Cursor splice, Recovery recovery, long replayed) {
        session.sendSubscribed(this, splice, recovery, replayed);
    }

    @Override
    public void starts(Cursor at, boolean tell) {
        if (at.comparableTo(tailPosition())) {
            position = at.offset();
        }
        if (tell) {
            session.sendPosition(this, at);
        }
    }

    @Override
    public void gap(Gap gap) {
        position = gap.cursor().offset();
        session.sendGap(this, gap);
    }

    @Override
    public void replayed(List<Replayed> events) {
        session.sendReplayed(this, events);
        position = events.getLast().cursor().offset();
    }

    @Override
    public void live(LoopBatch segment, int fromEvent) {
        session.write(this, segment, 0, fromEvent, segment.events(0));
        position = segment.lastOffset(0);
    }

    @Override
    public void covered(Cursor at) {
        if (at.offset() > position) {
            position = at.offset();
            session.sendPosition(this, at);
        }
    }

    @Override
    public void spliced(Cursor at) {
        boolean moved =
                at.offset() > position || position == Cursor.BEFORE_FIRST; // or never told, after "last n" of none
        merge = null;
        position = at.offset();
        session.resumed(this, moved ? at : null);
    }

    @Override
    public void failed(ErrorCode code, String message, boolean told) {
        merge = null;
        session.resumeFailed(this, code, message, told);
    }

    @Override
    public void progressed() {
        session.shard.flushDirty();
    }
}
