package dev.tidegate.gateway.transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.tidegate.gateway.EdgeUnderTest;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.handler.ssl.OpenSsl;
import io.netty.handler.ssl.ReferenceCountedOpenSslEngine;
import io.netty.handler.ssl.SslHandler;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.WebSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;

@ExtendWith(OutputCaptureExtension.class)
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
        return context(store, false);
    }

    private static SSLContext context(Path store, boolean withKey) throws Exception {
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(store)) {
            trusted.load(in, PASSWORD.toCharArray());
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(trusted, PASSWORD.toCharArray());
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(withKey ? keys.getKeyManagers() : null, trust.getTrustManagers(), null);
        return context;
    }

    /** As an operator configures it, with more settings behind. */
    private static Map<String, Object> tls(Path store, String... more) {
        Map<String, Object> settings = new HashMap<>(Map.of(
                "spring.ssl.bundle.jks.edge.keystore.location",
                store.toUri().toString(),
                "spring.ssl.bundle.jks.edge.keystore.password",
                PASSWORD,
                "spring.ssl.bundle.jks.edge.keystore.type",
                "PKCS12",
                "server.ssl.bundle",
                "edge"));
        for (int i = 0; i < more.length; i += 2) {
            settings.put(more[i], more[i + 1]);
        }
        return settings;
    }

    private static HttpRequest liveness(int port) {
        return HttpRequest.newBuilder(URI.create("https://localhost:" + port + "/actuator/health/liveness"))
                .build();
    }

    @Test
    void aSocketOverTlsKeepsItsTlsHandlerAndNothingElse(CapturedOutput output) throws Exception {
        // given
        Path store = selfSigned();
        try (EdgeUnderTest edge = EdgeUnderTest.start(tls(store));
                HttpClient http =
                        HttpClient.newBuilder().sslContext(trusting(store)).build()) {
            StringBuilder received = new StringBuilder();
            CompletableFuture<String> whole = new CompletableFuture<>();
            int size = 70_000; // more than a record of TLS holds, and than a read of ours takes
            ByteBuf frame = Unpooled.buffer()
                    .writeByte(0x81)
                    .writeByte(127)
                    .writeLong(size)
                    .writeBytes("tide".repeat(size / 4).getBytes(StandardCharsets.US_ASCII));

            // when
            WebSocket socket = http.newWebSocketBuilder()
                    .buildAsync(URI.create("wss://localhost:" + edge.port() + "/v1/ws"), new WebSocket.Listener() {
                        @Override
                        public CompletionStage<?> onText(WebSocket ws, CharSequence data, boolean last) {
                            received.append(data);
                            if (last) {
                                whole.complete(received.toString());
                            }
                            ws.request(1);
                            return null;
                        }
                    })
                    .get(60, TimeUnit.SECONDS);
            EdgeUnderTest.Opened opened = edge.nextOpened();
            opened.channel().writeAndFlush(frame).sync();

            // then
            assertThat(whole.get(60, TimeUnit.SECONDS)).isEqualTo("tide".repeat(size / 4));
            assertThat(opened.channel().pipeline().toMap().values())
                    .singleElement()
                    .isInstanceOf(SslHandler.class);
            SslHandler handler = opened.channel().pipeline().get(SslHandler.class);
            socket.abort();

            // and: by OpenSSL, which is there for this platform or the test is of no use
            assumeTrue(OpenSsl.isAvailable(), "no OpenSSL for this platform");
            assertThat(handler.engine()).isInstanceOf(ReferenceCountedOpenSslEngine.class);
            assertThat(output).containsOnlyOnce("TLS by OpenSSL (" + OpenSsl.versionString() + ")");
        }
    }

    @Test
    void aClientWithoutTheCertificateThatIsAskedForIsNotLetIn() throws Exception {
        // given
        Path store = selfSigned();
        try (EdgeUnderTest edge = EdgeUnderTest.start(tls(
                        store,
                        "spring.ssl.bundle.jks.edge.truststore.location",
                        store.toUri().toString(),
                        "spring.ssl.bundle.jks.edge.truststore.password",
                        PASSWORD,
                        "spring.ssl.bundle.jks.edge.truststore.type",
                        "PKCS12",
                        "server.ssl.client-auth",
                        "need"));
                HttpClient known =
                        HttpClient.newBuilder().sslContext(context(store, true)).build();
                HttpClient unknown =
                        HttpClient.newBuilder().sslContext(trusting(store)).build()) {
            // when / then
            assertThat(known.send(liveness(edge.port()), HttpResponse.BodyHandlers.discarding())
                            .statusCode())
                    .isEqualTo(200);
            assertThatThrownBy(() -> unknown.send(liveness(edge.port()), HttpResponse.BodyHandlers.discarding()))
                    .isInstanceOf(IOException.class);
        }
    }

    /** In a process of its own: whether OpenSSL is there is decided once in a JVM. */
    @Test
    void withoutOpenSslTheJdkEncrypts() throws Exception {
        // given
        Path store = selfSigned();
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Dio.netty.handler.ssl.noOpenSsl=true",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                "dev.tidegate.gateway.GatewayApplication"));
        tls(
                        store,
                        "server.port",
                        "0",
                        "server.address",
                        "127.0.0.1",
                        "spring.profiles.active",
                        "dev",
                        "spring.config.import",
                        "",
                        "tidegate.gateway.loops",
                        "1",
                        "tidegate.gateway.kafka",
                        "127.0.0.1:1")
                .forEach((name, value) -> command.add("--" + name + "=" + value));
        Process gateway = new ProcessBuilder(command).redirectErrorStream(true).start();
        try (BufferedReader out = gateway.inputReader();
                HttpClient http =
                        HttpClient.newBuilder().sslContext(trusting(store)).build()) {
            // when
            List<String> lines = new ArrayList<>();
            Matcher started = Pattern.compile("Netty started on port ([0-9]+) \\(https\\)")
                    .matcher("");
            for (String line = out.readLine(); line != null; line = out.readLine()) {
                lines.add(line);
                if (started.reset(line).find()) {
                    break;
                }
            }

            // then
            assertThat(lines)
                    .as("output of the gateway")
                    .last()
                    .matches(l -> started.reset(l).find());
            assertThat(lines)
                    .filteredOn(l -> l.contains("TLS by "))
                    .singleElement(InstanceOfAssertFactories.STRING)
                    .contains("TLS by the JDK; OpenSSL is not available here: ");
            assertThat(http.send(liveness(Integer.parseInt(started.group(1))), HttpResponse.BodyHandlers.discarding())
                            .statusCode())
                    .isEqualTo(200);
        } finally {
            gateway.destroyForcibly().waitFor();
        }
    }
}
