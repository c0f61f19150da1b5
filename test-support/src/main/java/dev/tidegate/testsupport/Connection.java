package dev.tidegate.testsupport;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * One connection through a {@link FaultyLink}: the socket of whoever connected, the one to the target, and a {@link LinkPipe} each way.
 *
 * <p>Ends: when both directions have come to their end in order, or with the first reset of either side, which is handed on, or by {@link #end}.
 */
final class Connection {

    private final Socket near;
    private volatile List<LinkPipe> pipes = List.of();
    private volatile FaultyLink.@Nullable Ending ended;

    Connection(Socket near) {
        this.near = near;
    }

    /** Leads it to the target and returns when it has ended. */
    void join(int target, Lane toTarget, Lane toClient, int connectWithinMs, BooleanSupplier shut) {
        try (Socket far = new Socket()) {
            far.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), target), connectWithinMs);
            far.setTcpNoDelay(true);
            near.setTcpNoDelay(true);
            LinkPipe there = new LinkPipe(near, far, toTarget);
            LinkPipe back = new LinkPipe(far, near, toClient);
            pipes = List.of(there, back);
            if (shut.getAsBoolean()) {
                end(FaultyLink.Ending.RST);
            } else if (ended != null) {
                // by a cut between the accept and here
                end(ended);
            }
            there.start();
            back.start();
            there.awaitEnd();
            back.awaitEnd();
        } catch (IOException refused) {
            reset(near);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            close(near);
        }
    }

    /** Reads what comes and answers nothing, until the client gives up. */
    void awaitGone() {
        byte[] ignored = new byte[1_024];
        try (near) {
            while (near.getInputStream().read(ignored) >= 0) {
                // into the void
            }
        } catch (IOException gone) {
            // by a reset, theirs or ours
        }
    }

    void end(FaultyLink.Ending how) {
        ended = how;
        List<LinkPipe> both = pipes;
        if (how == FaultyLink.Ending.FIN && !both.isEmpty()) {
            both.forEach(LinkPipe::finish);
        } else {
            both.forEach(LinkPipe::tear);
            reset(near);
        }
    }

    void wake() {
        pipes.forEach(LinkPipe::wake);
    }

    /** Closes it with a reset: what it was sent and has not read is lost, and the other side is told so. */
    static void reset(Socket socket) {
        try {
            socket.setSoLinger(true, 0);
        } catch (IOException alreadyClosed) {
            return;
        }
        close(socket);
    }

    private static void close(Socket socket) {
        try {
            socket.close();
        } catch (IOException alreadyGone) {
            // as good
        }
    }
}
