package dev.tidegate.gateway;

import dev.tidegate.gateway.auth.AccessPolicy;
import dev.tidegate.gateway.auth.JwtIdentities;
import dev.tidegate.gateway.config.AuthSettings;
import dev.tidegate.gateway.config.FanoutSettings;
import dev.tidegate.gateway.config.GatewaySettings;
import dev.tidegate.gateway.config.NamespaceSettings;
import dev.tidegate.gateway.config.PresenceSettings;
import dev.tidegate.gateway.config.RedisSettings;
import dev.tidegate.gateway.transport.EdgeConfiguration;
import dev.tidegate.tokens.IssuerKeys;
import dev.tidegate.tokens.JwtVerifier;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.autoconfigure.ImportAutoConfiguration;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;

/**
 * Everything but the core: settings, who may do what, and the edge. The auto-configurations are those listed in
 * {@code META-INF/spring/dev.tidegate.gateway.ServiceConfiguration.imports} and no others: in the standalone process the
 * class path also holds what ingest and replay need, and a gateway must not open a database because a driver lies there.
 */
@Configuration(proxyBeanMethods = false)
@ImportAutoConfiguration
@EnableConfigurationProperties({
    AuthSettings.class,
    FanoutSettings.class,
    GatewaySettings.class,
    NamespaceSettings.class,
    PresenceSettings.class,
    RedisSettings.class
})
@Import(EdgeConfiguration.class)
class ServiceConfiguration {
    private static final Logger LOG = LoggerFactory.getLogger(ServiceConfiguration.class);

    @Bean
    AccessPolicy accessPolicy(NamespaceSettings settings, AuthSettings auth) {
        Map<String, AccessPolicy.Namespace> namespaces = new HashMap<>();
        settings.namespaces()
                .forEach((name, ns) -> namespaces.put(
                        name,
                        new AccessPolicy.Namespace(
                                ns.historyLimit(),
                                ns.personal(),
                                orElse(ns.anonymousSubscribe(), auth.anonymous()),
                                orElse(ns.anonymousPublish(), auth.anonymous()),
                                ns.publish(),
                                ns.slowClient(),
                                ns.delivery())));
        if (namespaces.isEmpty()) {
            LOG.warn("tidegate.namespaces: none is declared, so no channel can be subscribed to");
        }
        return new AccessPolicy(namespaces, auth.anonymous());
    }

    private static boolean orElse(@Nullable Boolean set, boolean otherwise) {
        return set == null ? otherwise : set;
    }

    @Bean
    JwtIdentities tokenVerifier(AuthSettings auth) {
        String secret = auth.hs256Secret();
        URI jwks = auth.jwksUrl();
        return new JwtIdentities(new JwtVerifier(
                secret == null ? null : secret.getBytes(StandardCharsets.UTF_8),
                jwks == null ? null : new IssuerKeys(jwks, auth.jwksRefresh(), auth.jwksOutage()),
                new JwtVerifier.Rules(auth.issuer(), auth.audience(), auth.clockSkew()),
                Clock.systemUTC()));
    }
}
