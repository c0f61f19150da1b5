package dev.tidegate.gateway.transport;

import io.netty.handler.ssl.OpenSsl;
import io.netty.handler.ssl.ReferenceCountedOpenSslContext;
import io.netty.handler.ssl.SslContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.netty.http.server.HttpServer;

/**
 * Says once, where the server speaks TLS, what encrypts. Reactor Netty takes OpenSSL (here BoringSSL, by netty-tcnative) where
 * its library can be loaded, which {@code -Dio.netty.handler.ssl.noOpenSsl=true} forbids, and the JDK otherwise.
 * Certificates come from the SSL bundle either way.
 */
final class TlsProvider {
    private static final Logger LOG = LoggerFactory.getLogger(TlsProvider.class);

    private TlsProvider() {}

    /** Looks at a server that is configured otherwise; returns it as it is. */
    static HttpServer tell(HttpServer server) {
        var tls = server.configuration().sslProvider();
        if (tls != null) {
            LOG.info("TLS by {}", name(tls.getSslContext()));
        }
        return server;
    }

    private static String name(SslContext context) {
        if (context instanceof ReferenceCountedOpenSslContext) {
            return "OpenSSL (" + OpenSsl.versionString() + ")";
        }
        Throwable cause = OpenSsl.unavailabilityCause();
        return "the JDK" + (cause == null ? "" : "; OpenSSL is not available here: " + cause.getMessage());
    }
}
