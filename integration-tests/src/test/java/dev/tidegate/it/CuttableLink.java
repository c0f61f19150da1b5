package dev.tidegate.it;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** A TCP port that leads to another, and all of whose connections can be torn: what a train in a tunnel does to a browser. */
final class CuttableLink implements AutoCloseable {

    private static final int BUFFER = 16 * 1024;

    private final ServerSocket entrance;
    private final int target;
    private final Set<Socket> open = ConcurrentHashMap.newKeySet();
    private volatile boolean down;

    /** A link to this port of this machine. */
    CuttableLink(int target) {
        this.target = target;
        try {
            entrance = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Thread.ofVirtual().name("link").start(this::accept);
    }

    String url() {
        return "http://127.0.0.1:" + entrance.getLocalPort();
    }

    /** Tears every connection and takes no new one until {@link #mend()}. */
    void cut() {
        down = true;
        open.forEach(CuttableLink::close);
    }

    void mend() {
        down = false;
    }

    private void accept() {
        try {
            while (true) {
                Socket near = entrance.accept();
                if (down) {
                    close(near);
                } else {
                    Thread.ofVirtual().start(() -> join(near));
                }
            }
        } catch (IOException closed) {
            // the end of the link
        }
    }

    private void join(Socket near) {
        try (near;
                Socket far = new Socket(InetAddress.getLoopbackAddress(), target)) {
            open.add(near);
            open.add(far);
            if (down) {
                return;
            }
            Thread back = Thread.ofVirtual().start(() -> pump(far, near));
            pump(near, far);
            back.join();
        } catch (IOException refused) {
            // as if there were no link
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            open.remove(near);
            open.removeIf(Socket::isClosed);
        }
    }

    private static void pump(Socket from, Socket to) {
        byte[] buffer = new byte[BUFFER];
        try {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                out.write(buffer, 0, n);
            }
        } catch (IOException torn) {
            // both ends are closed below
        }
        close(from);
        close(to);
    }

    private static void close(Socket socket) {
        try {
            socket.setSoLinger(true, 0);
            socket.close();
        } catch (IOException alreadyClosed) {
            // as good
        }
    }

    @Override
    public void close() {
        cut();
        try {
            entrance.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
