package dev.tidegate.testsupport;

import dev.tidegate.backends.Ports;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * A port of this machine that leads to another one, over a network that can be made slow, narrow, deaf, or torn: the cable between two processes of a
 * failure drill. Killing a process shows what its peers do when they are told that it is gone; a link shows what they do when they are told nothing.
 *
 * <pre>
 *            pass()              everything as it should be; also ends whatever was done to the link
 *            delay, throttle     each byte later; fewer bytes a second
 *            freeze, thaw        nothing moves in a direction (or both); connections stay open, also new ones
 *            silence()           new connections are taken and never answered: a peer that has died behind its kernel
 *            cut(RST | FIN)      every connection ends, and each new one at once, until pass()
 * </pre>
 *
 * <p>Faults of a direction concern all connections through the link, those that exist and those to come, from the moment of the call. What a
 * connection has under way is bounded ({@link LinkPipe#MOST_BYTES} a direction, then the sender feels it as a full socket), and so is how many there
 * are ({@link #MOST_CONNECTIONS}). A client can tell the link from its target in one thing: where the target refuses, the link takes the
 * connection first and resets it then.
 *
 * <p>Any thread may call anything; nothing blocks. Each connection costs four virtual threads.
 */
public final class FaultyLink implements AutoCloseable {

    /** Further ones are reset at once. */
    private static final int MOST_CONNECTIONS = 1_024;

    private static final int BACKLOG = 256;
    private static final int CONNECT_WITHIN_MS = 5_000;

    /** Which way bytes go. */
    public enum Direction {
        /** From whoever connected to the link. */
        TO_TARGET,
        /** Back to whoever connected. */
        TO_CLIENT
    }

    /** How a connection ends. */
    public enum Ending {
        /** At once, with what was under way lost; the other side reads a reset. */
        RST,
        /** In order: the other side reads what it has been sent, then the end. */
        FIN
    }

    /** What happens to a new connection. */
    private enum Entrance {
        OPEN,
        SILENT,
        SHUT
    }

    private final ServerSocket server;
    private final int target;
    private final Lane toTarget = new Lane();
    private final Lane toClient = new Lane();
    private final Set<Connection> connections = ConcurrentHashMap.newKeySet();
    private final AtomicInteger accepted = new AtomicInteger();
    private volatile Entrance entrance = Entrance.OPEN;

    private FaultyLink(ServerSocket server, int target) {
        this.server = server;
        this.target = target;
    }

    /** A link from a free port to {@code target}, a port of loopback; whether anybody listens there is asked at each connection. */
    public static FaultyLink to(int target) {
        return between(Ports.free(), target);
    }

    /** A link from {@code port} to {@code target}: for a server that has to be told beforehand by which port it will be reached. */
    public static FaultyLink between(int port, int target) {
        ServerSocket server = null;
        try {
            server = new ServerSocket();
            // A link that is made anew on its port must not wait for connections of the old one to be forgotten.
            server.setReuseAddress(true);
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), BACKLOG);
        } catch (IOException e) {
            closeServer(server);
            throw new UncheckedIOException("link from port " + port, e);
        }
        FaultyLink link = new FaultyLink(server, target);
        Thread.ofVirtual().name("link-" + port).start(link::accept);
        return link;
    }

    private static void closeServer(@Nullable ServerSocket server) {
        if (server != null) {
            try {
                server.close();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    /** Where to connect to. */
    public int port() {
        return server.getLocalPort();
    }

    /** {@code http://127.0.0.1:<port>}. */
    public String url() {
        return "http://127.0.0.1:" + port();
    }

    // ---- faults ----

    /** Ends all faults: nothing is held or slow, and new connections are led to the target. Silent ones stay silent until their client gives up. */
    public void pass() {
        entrance = Entrance.OPEN;
        for (Direction direction : Direction.values()) {
            Lane lane = lane(direction);
            lane.frozen = false;
            lane.delayNanos = 0;
            lane.jitterNanos = 0;
            lane.throttle(0);
        }
        wake();
    }

    /** Each byte arrives {@code delay} plus a random part of {@code jitter} later, in order. Bytes that are under way are delayed too. */
    public void delay(Direction direction, Duration delay, Duration jitter) {
        lane(direction).delayNanos = notNegative("delay", delay);
        lane(direction).jitterNanos = notNegative("jitter", jitter);
        wake();
    }

    /** At most so many bytes a second, all connections together. */
    public void throttle(Direction direction, long bytesPerSecond) {
        if (bytesPerSecond <= 0) {
            throw new IllegalArgumentException("bytesPerSecond: " + bytesPerSecond + " (expected: more than 0)");
        }
        lane(direction).throttle(bytesPerSecond);
        wake();
    }

    /** Nothing arrives any more in this direction, and nobody is told. */
    public void freeze(Direction direction) {
        lane(direction).frozen = true;
        wake();
    }

    /** Nothing arrives in either direction. */
    public void freeze() {
        freeze(Direction.TO_TARGET);
        freeze(Direction.TO_CLIENT);
    }

    /** What was held by {@link #freeze()} arrives, and what follows. */
    public void thaw() {
        lane(Direction.TO_TARGET).frozen = false;
        lane(Direction.TO_CLIENT).frozen = false;
        wake();
    }

    /** New connections are taken and left without a word; those that exist go on. */
    public void silence() {
        entrance = Entrance.SILENT;
    }

    /** Ends every connection, and each new one as soon as it is made, until {@link #pass()}. */
    public void cut(Ending ending) {
        entrance = Entrance.SHUT;
        connections.forEach(connection -> connection.end(ending));
    }

    /** Ends every connection and takes new ones: a flaw of a moment. */
    public void tear(Ending ending) {
        connections.forEach(connection -> connection.end(ending));
    }

    // ---- what a test reads ----

    /** Connections that are open now, silent ones included. */
    public int connections() {
        return connections.size();
    }

    /** Connections taken since the beginning. */
    public int accepted() {
        return accepted.get();
    }

    /** Bytes that have arrived in this direction since the beginning. */
    public long bytes(Direction direction) {
        return lane(direction).bytes.get();
    }

    /** Ends it, with a reset for whoever is connected. Idempotent. */
    @Override
    public void close() {
        closeServer(server);
        cut(Ending.RST);
    }

    // ---- connections ----

    private Lane lane(Direction direction) {
        return direction == Direction.TO_TARGET ? toTarget : toClient;
    }

    private static long notNegative(String name, Duration value) {
        if (value.isNegative()) {
            throw new IllegalArgumentException(name + ": " + value + " (expected: 0 or more)");
        }
        return value.toNanos();
    }

    private void wake() {
        connections.forEach(Connection::wake);
    }

    private void accept() {
        try {
            while (true) {
                Socket near = server.accept();
                accepted.incrementAndGet();
                Entrance now = entrance;
                if (now == Entrance.SHUT || connections.size() >= MOST_CONNECTIONS) {
                    Connection.reset(near);
                } else {
                    Connection connection = new Connection(near);
                    connections.add(connection);
                    Thread.ofVirtual().name("link-" + port()).start(() -> run(connection, now == Entrance.OPEN));
                }
            }
        } catch (IOException closed) {
            // the end of the link
        }
    }

    private void run(Connection connection, boolean led) {
        try {
            if (led) {
                connection.join(target, toTarget, toClient, CONNECT_WITHIN_MS, () -> entrance == Entrance.SHUT);
            } else {
                connection.awaitGone();
            }
        } finally {
            connections.remove(connection);
        }
    }
}
