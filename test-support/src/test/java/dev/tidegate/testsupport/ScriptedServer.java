package dev.tidegate.testsupport;

import java.io.Closeable;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A WebSocket server that says what the test tells it to; frames of at most 65,535 bytes. */
final class ScriptedServer implements Closeable {

    private static final JsonMapper JSON = new JsonMapper();
    private final ServerSocket server;
    private final BlockingQueue<Peer> peers = new LinkedBlockingQueue<>();

    ScriptedServer() throws IOException {
        server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        Thread.ofVirtual().start(() -> {
            while (!server.isClosed()) {
                try {
                    peers.add(new Peer(server.accept()));
                } catch (IOException closed) {
                    return;
                }
            }
        });
    }

    String url() {
        return "http://127.0.0.1:" + server.getLocalPort();
    }

    /** The next client that connects. */
    Peer next() throws InterruptedException {
        Peer peer = peers.poll(60, TimeUnit.SECONDS);
        if (peer == null) {
            throw new AssertionError("no client connected");
        }
        return peer;
    }

    @Override
    public void close() throws IOException {
        server.close();
    }

    /** One connected client. */
    static final class Peer {
        private final Socket socket;
        private final OutputStream out;
        private final BlockingQueue<JsonNode> received = new LinkedBlockingQueue<>();

        Peer(Socket socket) throws IOException {
            this.socket = socket;
            this.out = socket.getOutputStream();
            DataInputStream in = new DataInputStream(socket.getInputStream());
            handshake(in);
            Thread.ofVirtual().start(() -> read(in));
        }

        private void handshake(DataInputStream in) throws IOException {
            StringBuilder head = new StringBuilder();
            while (!head.toString().endsWith("\r\n\r\n")) {
                head.append((char) in.readUnsignedByte());
            }
            String key = head.toString()
                    .lines()
                    .filter(line -> line.startsWith("Sec-WebSocket-Key: "))
                    .findFirst()
                    .orElseThrow()
                    .substring(19)
                    .strip();
            try {
                byte[] digest = MessageDigest.getInstance("SHA-1")
                        .digest((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").getBytes(StandardCharsets.US_ASCII));
                out.write(
                        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
                                        + Base64.getEncoder().encodeToString(digest) + "\r\n\r\n")
                                .getBytes(StandardCharsets.US_ASCII));
            } catch (NoSuchAlgorithmException e) {
                throw new IllegalStateException(e);
            }
        }

        private void read(DataInputStream in) {
            try {
                while (true) {
                    int opcode = in.readUnsignedByte() & 0x0f;
                    int length = in.readUnsignedByte() & 0x7f;
                    if (length == 126) {
                        length = in.readUnsignedShort();
                    }
                    byte[] mask = in.readNBytes(4);
                    byte[] payload = in.readNBytes(length);
                    for (int i = 0; i < length; i++) {
                        payload[i] ^= mask[i % 4];
                    }
                    if (opcode == 1) {
                        received.add(JSON.readTree(payload));
                    }
                }
            } catch (IOException closed) {
                // the client has gone
            }
        }

        /** The next frame from the client. */
        JsonNode receive() throws InterruptedException {
            JsonNode frame = received.poll(60, TimeUnit.SECONDS);
            if (frame == null) {
                throw new AssertionError("no frame from the client");
            }
            return frame;
        }

        synchronized void send(String text) {
            write(0x81, text.getBytes(StandardCharsets.UTF_8));
        }

        void close(int code) {
            write(0x88, new byte[] {(byte) (code >> 8), (byte) code});
        }

        /** Breaks the connection off. */
        void drop() throws IOException {
            socket.setSoLinger(true, 0);
            socket.close();
        }

        private void write(int head, byte[] payload) {
            try {
                out.write(head);
                if (payload.length < 126) {
                    out.write(payload.length);
                } else {
                    out.write(new byte[] {126, (byte) (payload.length >> 8), (byte) payload.length});
                }
                out.write(payload);
                out.flush();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
