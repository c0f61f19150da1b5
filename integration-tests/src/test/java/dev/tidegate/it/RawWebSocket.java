package dev.tidegate.it;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import tools.jackson.databind.JsonNode;

/**
 * A WebSocket by hand, for frames that no proper client sends: text that is not UTF-8, unmasked frames, 2 MiB at once. Reads block, for at most
 * {@link Answers#WITHIN}.
 */
final class RawWebSocket implements AutoCloseable {

    static final int TEXT = 1;
    static final int BINARY = 2;
    static final int CLOSE = 8;
    static final int PING = 9;
    private static final int FIN = 0x80;
    private static final int MASKED = 0x80;

    private final Socket socket;
    private final DataInputStream in;
    private final OutputStream out;

    /** One frame: its opcode and payload. */
    record Frame(int opcode, byte[] payload) {
        String text() {
            return new String(payload, StandardCharsets.UTF_8);
        }

        JsonNode json() {
            return Publisher.JSON.readTree(text());
        }

        int closeCode() {
            return ((payload[0] & 0xff) << 8) | (payload[1] & 0xff);
        }
    }

    /** Connects to {@code /v1/ws} and reads the {@code connected} frame. */
    static RawWebSocket to(int port) throws IOException {
        RawWebSocket client = new RawWebSocket(port);
        JsonNode first = client.next().json();
        if (!first.path("op").asString("").equals("connected")) {
            throw new AssertionError("expected connected, got " + first);
        }
        return client;
    }

    private RawWebSocket(int port) throws IOException {
        socket = new Socket(InetAddress.getLoopbackAddress(), port);
        socket.setTcpNoDelay(true);
        socket.setSoTimeout(Math.toIntExact(Answers.WITHIN.toMillis()));
        in = new DataInputStream(new BufferedInputStream(socket.getInputStream(), 1 << 16));
        out = socket.getOutputStream();
        String request = String.join(
                "\r\n",
                "GET /v1/ws HTTP/1.1",
                "Host: 127.0.0.1:" + port,
                "Upgrade: websocket",
                "Connection: Upgrade",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                "",
                "");
        out.write(request.getBytes(StandardCharsets.US_ASCII));
        String head = readHead();
        if (!head.startsWith("HTTP/1.1 101 ")) {
            throw new AssertionError("handshake refused: " + head);
        }
    }

    private String readHead() throws IOException {
        StringBuilder head = new StringBuilder();
        while (head.indexOf("\r\n\r\n") < 0) {
            head.append((char) in.readUnsignedByte());
        }
        return head.toString();
    }

    /** Sends text, masked as a client must. */
    void text(String text) throws IOException {
        send(TEXT, text.getBytes(StandardCharsets.UTF_8), true);
    }

    void send(int opcode, byte[] payload, boolean masked) throws IOException {
        ByteArrayOutputStream frame = new ByteArrayOutputStream(payload.length + 14);
        write(frame, opcode, payload, masked);
        frame.writeTo(out);
    }

    /** Sends each as a text frame, all of them with few system calls; for floods. */
    void texts(Iterable<String> all) throws IOException {
        ByteArrayOutputStream frames = new ByteArrayOutputStream(1 << 16);
        for (String text : all) {
            write(frames, TEXT, text.getBytes(StandardCharsets.UTF_8), true);
            if (frames.size() > 1 << 15) {
                frames.writeTo(out);
                frames.reset();
            }
        }
        frames.writeTo(out);
    }

    private static void write(ByteArrayOutputStream frame, int opcode, byte[] payload, boolean masked) {
        frame.write(FIN | opcode);
        int mask = masked ? MASKED : 0;
        if (payload.length < 126) {
            frame.write(mask | payload.length);
        } else if (payload.length < 1 << 16) {
            frame.write(mask | 126);
            frame.write(payload.length >>> 8);
            frame.write(payload.length);
        } else {
            frame.write(mask | 127);
            for (int shift = 56; shift >= 0; shift -= 8) {
                frame.write((int) ((long) payload.length >>> shift));
            }
        }
        if (masked) {
            byte[] key = {0x12, 0x34, 0x56, 0x78};
            frame.writeBytes(key);
            byte[] hidden = new byte[payload.length];
            for (int i = 0; i < payload.length; i++) {
                hidden[i] = (byte) (payload[i] ^ key[i % 4]);
            }
            frame.writeBytes(hidden);
        } else {
            frame.writeBytes(payload);
        }
    }

    /** The next frame that is no ping; pings are answered, and are no reason to wait longer. */
    Frame next() throws IOException {
        long deadline = System.nanoTime() + Answers.WITHIN.toNanos();
        while (true) {
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError("nothing but pings within " + Answers.WITHIN);
            }
            Frame frame = read();
            if (frame.opcode() != PING) {
                return frame;
            }
            send(PING + 1, frame.payload(), true);
        }
    }

    private Frame read() throws IOException {
        int opcode = in.readUnsignedByte() & 0x0f;
        long length = in.readUnsignedByte();
        if (length == 126) {
            length = in.readUnsignedShort();
        } else if (length == 127) {
            length = in.readLong();
        }
        byte[] payload = new byte[Math.toIntExact(length)];
        in.readFully(payload);
        return new Frame(opcode, payload);
    }

    /** The next text frame as JSON. */
    JsonNode json() throws IOException {
        Frame frame = next();
        if (frame.opcode() != TEXT) {
            throw new AssertionError("expected a text frame, got opcode " + frame.opcode()
                    + (frame.opcode() == CLOSE ? ", close " + frame.closeCode() : ""));
        }
        return frame.json();
    }

    /** Reads until the close frame and returns its code; what else comes is passed over. */
    int closeCode() throws IOException {
        try {
            Frame frame = next();
            while (frame.opcode() != CLOSE) {
                frame = next();
            }
            return frame.closeCode();
        } catch (EOFException | SocketException e) {
            throw new AssertionError("the connection ended without a close frame", e);
        }
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
