package dev.tidegate.intake;

import dev.tidegate.protocol.ErrorCode;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.ReferenceCountUtil;
import org.jspecify.annotations.Nullable;

/**
 * One connection that speaks HTTP, between the bytes and the codec. On its event loop.
 *
 * <pre>
 * state     on                                                          to
 * (none)    accepted, there is room                                     ARRIVING
 * (none)    accepted, there is none                                     LEFT, after a 503
 * ARRIVING  a request's head is whole                                   BUSY
 * ARRIVING  time is over                                                LEFT, after a 408 if something had come
 * BUSY      the last request has been answered                          IDLE
 * IDLE      a byte                                                      ARRIVING
 * IDLE      (silence: bounded by the server's idle timeout)             LEFT
 * any       closed, displaced by a newcomer, or this handler is removed LEFT
 * </pre>
 */
final class Arrival extends ChannelInboundHandlerAdapter {
    /** A crowd of handshakes is over within a moment, an attacker's connections within the time for a head. */
    private static final int RETRY_SECONDS = 2;

    private enum State {
        ARRIVING,
        BUSY,
        IDLE,
        LEFT
    }

    private final Intake intake;
    private final Waiting waiting;
    private State state = State.ARRIVING;
    private boolean counted;
    private boolean anything; // has come of the request that is arriving
    private long since; // ARRIVING or IDLE
    private int open; // requests without an answer
    private @Nullable ChannelHandlerContext ctx;

    Arrival(Intake intake, Waiting waiting) {
        this.intake = intake;
        this.waiting = waiting;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
        ctx = context;
        since = waiting.now();
        if (intake.connections.incrementAndGet() > intake.maxConnections && !waiting.displace()) {
            intake.connections.decrementAndGet();
            intake.refused.increment();
            state = State.LEFT;
            return;
        }
        counted = true;
        waiting.add(this);
    }

    @Override
    public void channelActive(ChannelHandlerContext context) throws Exception {
        super.channelActive(context);
        if (counted) {
            return;
        }
        if (context.pipeline().get(SslHandler.class) != null) {
            close(); // an answer would have to wait for its handshake
        } else {
            answer(HttpResponseStatus.SERVICE_UNAVAILABLE, ErrorCode.UNAVAILABLE, "too many connections at once");
        }
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object msg) throws Exception {
        if (state == State.LEFT) {
            ReferenceCountUtil.release(msg); // it has had its answer
            return;
        }
        if (state == State.IDLE) {
            waiting.remove(this); // it has a place by its time
            waits(State.ARRIVING);
        }
        anything = true;
        super.channelRead(context, msg);
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) throws Exception {
        leave();
        super.channelInactive(context);
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext context) {
        leave();
    }

    /** The head of a request is whole. */
    void requested() {
        open++;
        if (state != State.LEFT) {
            waiting.remove(this);
            state = State.BUSY;
        }
    }

    /** A request has its answer. */
    void answered() {
        open = Math.max(0, open - 1);
        if (open == 0 && state == State.BUSY) {
            anything = false;
            waits(State.IDLE);
        }
    }

    private void waits(State how) {
        state = how;
        since = waiting.now();
        waiting.add(this);
    }

    /** Since when it has waited, by the loop's clock. */
    long since() {
        return since;
    }

    boolean isLate(long now) {
        return state == State.ARRIVING && now - since >= intake.headNanos;
    }

    /** Its request has not arrived in time. */
    void late() {
        intake.late.increment();
        leave();
        if (anything) {
            answer(HttpResponseStatus.REQUEST_TIMEOUT, ErrorCode.BAD_REQUEST, "headers: they did not arrive in time");
        } else {
            close();
        }
    }

    /** A newcomer takes its place. */
    void displaced() {
        intake.displaced.increment();
        leave();
        close();
    }

    /** It is no business of HTTP's any more: closed, or a socket of its own. */
    private void leave() {
        state = State.LEFT;
        if (counted) {
            counted = false;
            waiting.remove(this);
            intake.connections.decrementAndGet();
        }
    }

    /** Beneath the codec, since there is no request that it would answer; TLS, if there is any, is beneath us. */
    private void answer(HttpResponseStatus status, ErrorCode code, String detail) {
        ChannelHandlerContext c = ctx;
        if (c != null) {
            int retry = status.code() == 503 ? RETRY_SECONDS : 0;
            var _ = c.writeAndFlush(Unpooled.wrappedBuffer(RawAnswer.whole(status, code, detail, retry)))
                    .addListener(ChannelFutureListener.CLOSE);
        }
    }

    private void close() {
        ChannelHandlerContext c = ctx;
        if (c != null) {
            var _ = c.close();
        }
    }
}
