package dev.tidegate.backends;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
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
        try (ServerSocket socket = new ServerSocket()) {
            socket.setReuseAddress(true);
            socket.bind(new InetSocketAddress(InetAddress.getByName(host), port));
            return true;
        } catch (IOException taken) {
            return false;
        }
    }

    /** The same port, or a free one for 0. */
    public static int orFree(int port) {
        return port == 0 ? free() : port;
    }

    /** A port that is free on loopback at this moment; nothing keeps it for the caller. */
    public static int free() {
        for (int i = 0; i < PICK_TRIES; i++) {
            int port = ThreadLocalRandom.current().nextInt(PICK_FROM, PICK_BELOW);
            if (isFree("127.0.0.1", port)) {
                return port;
            }
        }
        throw new StartFailure(
                "no free port between " + PICK_FROM + " and " + PICK_BELOW + " after " + PICK_TRIES + " tries");
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
