package dev.tidegate.gateway.transport;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.gateway.EdgeUnderTest;
import io.netty.buffer.Unpooled;
import io.netty.handler.ssl.SslHandler;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TlsTest {
    private static final String PASSWORD = "changeit";

    @TempDir
    Path folder;

    private Path selfSigned() throws Exception {
        Path store = folder.resolve("edge.p12");
        Process keytool = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "keytool")
                                .toString(),
                        "-genkeypair",
                        "-alias",
                        "edge",
                        "-keyalg",
                        "EC",
                        "-dname",
                        "CN=localhost",
                        "-ext",
                        "SAN=dns:localhost,ip:127.0.0.1",
                        "-storetype",
                        "PKCS12",
                        "-keystore",
                        store.toString(),
                        "-storepass",
                        PASSWORD)
                .inheritIO()
                .start();
        assertThat(keytool.waitFor()).isZero();
        return store;
    }

    private static SSLContext trusting(Path store) throws Exception {
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(store)) {
            trusted.load(in, PASSWORD.toCharArray());
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }

    @Test
    void aSocketOverTlsKeepsItsTlsHandlerAndNothingElse() throws Exception {
        // given
        Path store = selfSigned();
        try (EdgeUnderTest edge = EdgeUnderTest.start(Map.of(
                        "spring.ssl.bundle.jks.edge.keystore.location",
                        store.toUri().toString(),
                        "spring.ssl.bundle.jks.edge.keystore.password",
                        PASSWORD,
                        "spring.ssl.bundle.jks.edge.keystore.type",
                        "PKCS12",
                        "server.ssl.bundle",
                        "edge"));
                HttpClient http =
                        HttpClient.newBuilder().sslContext(trusting(store)).build()) {
            CompletableFuture<String> received = new CompletableFuture<>();

            // when
            WebSocket socket = http.newWebSocketBuilder()
                    .buildAsync(URI.create("wss://localhost:" + edge.port() + "/v1/ws"), new WebSocket.Listener() {
                        @Override
                        public CompletionStage<?> onText(WebSocket ws, CharSequence data, boolean last) {
                            received.complete(data.toString());
                            return null;
                        }
                    })
                    .get(20, TimeUnit.SECONDS);
            EdgeUnderTest.Opened opened = edge.nextOpened();
            opened.channel()
                    .writeAndFlush(Unpooled.wrappedBuffer(new byte[] {(byte) 0x81, 2, 'h', 'i'}))
                    .sync();

            // then
            assertThat(received.get(20, TimeUnit.SECONDS)).isEqualTo("hi");
            assertThat(opened.channel().pipeline().toMap().values())
                    .singleElement()
                    .isInstanceOf(SslHandler.class);
            socket.abort();
        }
    }
}
