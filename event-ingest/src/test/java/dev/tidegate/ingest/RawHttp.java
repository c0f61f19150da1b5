package dev.tidegate.ingest;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;

/** A connection to the service under test that sends what no HTTP client would. */
final class RawHttp implements AutoCloseable {
    private final Socket socket;

    RawHttp(IngestUnderTest ingest) throws IOException {
        socket = new Socket(InetAddress.getLoopbackAddress(), ingest.port());
        socket.setSoTimeout(60_000);
    }

    RawHttp send(String text) throws IOException {
        return send(text.getBytes(ISO_8859_1));
    }

    RawHttp send(byte[] bytes) throws IOException {
        socket.getOutputStream().write(bytes);
        socket.getOutputStream().flush();
        return this;
    }

    /** A request to publish to {@code a}, as far as its empty line. */
    static String head(String... headers) {
        StringBuilder head = new StringBuilder(
                "POST /v1/channels/a/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n");
        for (String header : headers) {
            head.append(header).append("\r\n");
        }
        return head.append("\r\n").toString();
    }

    /** What comes until the other side closes, or until {@code end} has come. */
    String readUntil(String end) throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        byte[] part = new byte[8192];
        try {
            int n = socket.getInputStream().read(part);
            while (n >= 0) {
                all.write(part, 0, n);
                if (all.toString(ISO_8859_1).contains(end)) {
                    return all.toString(ISO_8859_1);
                }
                n = socket.getInputStream().read(part);
            }
        } catch (SocketTimeoutException e) {
            throw new AssertionError("no '" + end + "' within a minute, only: " + all.toString(ISO_8859_1), e);
        }
        return all.toString(ISO_8859_1);
    }

    /** What comes until the other side closes. */
    String readAll() throws IOException {
        return readUntil("\0never\0");
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
