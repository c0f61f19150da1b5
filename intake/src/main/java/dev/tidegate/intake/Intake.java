package dev.tidegate.intake;

import io.netty.channel.Channel;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;

/**
 * Bounds what connections cost that have not (yet) sent a request: a client that opens them and sends a byte now and then
 * must neither keep them nor fill the server with them.
 *
 * <p>In time: from being accepted, TLS included, or from the first byte after an answer, a request's head must be there within
 * {@code headWithin}, looked at four times in that time and at least once a second; else it is answered 408 (nothing, if
 * nothing has come), and the connection closed. In number: {@code maxConnections} that speak HTTP, whatever they do; one that
 * {@linkplain Arrival#leave leaves} HTTP for a socket of its own is not counted any more. At the bound a newcomer takes the
 * place of the connection of its event loop that has waited longest for a request, if it has waited for a second; a newcomer
 * that finds none is refused with 503. So an attacker's connections make room for others, and a crowd that is merely large
 * is served in its order.
 *
 * <p>{@link #install} is for a connection's event loop, figures are for any thread.
 */
public final class Intake {
    final int maxConnections;
    final long headNanos;
    final AtomicInteger connections = new AtomicInteger();
    final LongAdder refused = new LongAdder();
    final LongAdder displaced = new LongAdder();
    final LongAdder late = new LongAdder();
    private final Map<Object, Waiting> byLoop = new ConcurrentHashMap<>(); // one for each event loop there is

    /**
     * @param maxConnections most connections that speak HTTP at once
     * @param headWithin how long a request's head may take to arrive whole
     */
    public Intake(int maxConnections, Duration headWithin) {
        this.maxConnections = maxConnections;
        this.headNanos = headWithin.toNanos();
    }

    /**
     * Watches a connection that has just been accepted.
     *
     * @param codec the name of its HTTP codec's handler
     */
    public void install(Channel channel, String codec) {
        Waiting waiting = byLoop.computeIfAbsent(channel.eventLoop(), loop -> new Waiting(channel.eventLoop(), this));
        Arrival arrival = new Arrival(this, waiting);
        channel.pipeline()
                .addBefore(codec, "tidegate.arrival", arrival)
                .addAfter(codec, "tidegate.requests", new Requests(arrival));
    }

    /** Connections that speak HTTP now. */
    public int connections() {
        return connections.get();
    }

    /** Newcomers that found no room. */
    public long refused() {
        return refused.sum();
    }

    /** Connections that waited for a request and were closed for a newcomer. */
    public long displaced() {
        return displaced.sum();
    }

    /** Connections whose request's head did not arrive in time. */
    public long late() {
        return late.sum();
    }
}
