package dev.tidegate.backends;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.UnknownHostException;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;

/** Ports of this machine: read from the environment, checked, or picked. */
public final class Ports {

    /**
     * Picked ports come from below the range that Linux (32768 up) and macOS (49152 up) hand to outgoing connections. Otherwise a client that
     * keeps trying the port of a killed server can be given that very port as its own, and the server cannot have it back; on Linux it may
     * even connect to itself.
     */
    private static final int PICK_FROM = 15_000;

    private static final int PICK_BELOW = 32_000;
    private static final int PICK_TRIES = 200;

    private Ports() {}

    /**
     * The port that {@code variable} of {@code environment} names, or {@code otherwise}.
     *
     * @throws StartFailure when its value is not a port
     */
    public static int of(Map<String, String> environment, String variable, int otherwise) {
        String value = environment.getOrDefault(variable, "").strip();
        if (value.isEmpty()) {
            return otherwise;
        }
        try {
            int port = Integer.parseInt(value);
            if (port >= 0 && port <= 65_535) {
                return port;
            }
        } catch (NumberFormatException notANumber) {
            // told below, with what was expected
        }
        throw new StartFailure(variable + ": " + value + " (expected: a port from 1 to 65535, or 0 for a free one)");
    }

    /** Whether a server could listen on {@code port} of {@code host} at this moment. */
    public static boolean isFree(String host, int port) {
        try {
            return canBind(InetAddress.getByName(host), port, true);
        } catch (UnknownHostException notOurs) {
            return false;
        }
    }

    private static boolean canBind(InetAddress host, int port, boolean reuse) {
        try (ServerSocket socket = new ServerSocket()) {
            socket.setReuseAddress(reuse);
            socket.bind(new InetSocketAddress(host, port));
            return true;
        } catch (IOException taken) {
            return false;
        }
    }

    /** The same port, or a free one for 0. */
    public static int orFree(int port) {
        return port == 0 ? free() : port;
    }

    /** A port that is free on loopback; for about a minute no other process picks it by this method. */
    public static int free() {
        for (int i = 0; i < PICK_TRIES; i++) {
            int port = ThreadLocalRandom.current().nextInt(PICK_FROM, PICK_BELOW);
            if (reserve(port)) {
                return port;
            }
        }
        throw new StartFailure(
                "no free port between " + PICK_FROM + " and " + PICK_BELOW + " after " + PICK_TRIES + " tries");
    }

    /**
     * Takes a port for as long as the operating system remembers that a connection to it has been closed from its side (TIME_WAIT, a minute on
     * Linux). Meanwhile a server may listen on it, since all ours ask to reuse an address; whoever picks a port asks not to, and does not get it.
     */
    private static boolean reserve(int port) {
        InetAddress loopback = InetAddress.getLoopbackAddress();
        if (!canBind(loopback, port, false)) {
            return false;
        }
        try (ServerSocket server = new ServerSocket()) {
            server.setReuseAddress(true);
            server.bind(new InetSocketAddress(loopback, port), 1);
            // The one that was accepted is closed first, so it is its side that is remembered.
            try (Socket client = new Socket(loopback, port);
                    Socket accepted = server.accept()) {
                return client.isConnected() && accepted.isConnected();
            }
        } catch (IOException taken) {
            return false;
        }
    }

    /**
     * Says in one line that a port is taken.
     *
     * @throws StartFailure when {@code port} of {@code host} is not free; 0 always is
     */
    public static void requireFree(String user, String host, int port, String variable) {
        if (port != 0 && !isFree(host, port)) {
            throw new StartFailure("port " + port + " for " + user
                    + " is taken: stop what listens there, or choose another with " + variable);
        }
    }
}
