package dev.tidegate.gateway;

import dev.tidegate.gateway.auth.AccessPolicy;
import dev.tidegate.gateway.auth.TokenVerifier;
import dev.tidegate.gateway.config.AuthSettings;
import dev.tidegate.gateway.config.FanoutSettings;
import dev.tidegate.gateway.config.GatewaySettings;
import dev.tidegate.gateway.config.InvalidSetting;
import dev.tidegate.gateway.config.NamespaceSettings;
import dev.tidegate.gateway.transport.EdgeConfiguration;
import java.util.HashMap;
import java.util.Map;
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
@EnableConfigurationProperties({AuthSettings.class, FanoutSettings.class, GatewaySettings.class, NamespaceSettings.class
})
@Import(EdgeConfiguration.class)
class ServiceConfiguration {
    @Bean
    AccessPolicy accessPolicy(NamespaceSettings settings, AuthSettings auth) {
        Map<String, AccessPolicy.Namespace> namespaces = new HashMap<>();
        settings.namespaces().forEach((name, ns) -> {
            boolean subscribe = anonymous(name, "subscribe", ns.anonymousSubscribe(), auth);
            boolean publish = anonymous(name, "publish", ns.anonymousPublish(), auth);
            namespaces.put(
                    name,
                    new AccessPolicy.Namespace(ns.historyLimit(), ns.personal(), subscribe, publish, ns.publish()));
        });
        return new AccessPolicy(namespaces);
    }

    private static boolean anonymous(
            String namespace, String verb, @org.jspecify.annotations.Nullable Boolean set, AuthSettings auth) {
        if (Boolean.TRUE.equals(set) && !auth.anonymous()) {
            throw new InvalidSetting(
                    "tidegate.namespaces." + namespace + ".anonymous-" + verb,
                    true,
                    "false, since tidegate.auth.anonymous is false");
        }
        return set == null ? auth.anonymous() : set;
    }

    @Bean
    TokenVerifier tokenVerifier(AuthSettings auth) {
        return (token, done) -> done.accept(new TokenVerifier.Verdict.Rejected("tokens are not accepted here"));
    }
}
