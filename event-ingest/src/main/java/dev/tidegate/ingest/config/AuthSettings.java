package dev.tidegate.ingest.config;

import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * Who may publish. An empty value is an absent one, so that an environment variable can be left empty.
 *
 * @param anonymous whether publishers without a token are let in, where their namespace says nothing else
 * @param hs256Secret shared secret of HS256 tokens, at least 32 bytes
 * @param jwksUrl where the public keys of asymmetrically signed tokens are
 * @param issuer required {@code iss}, if any
 * @param audience required {@code aud}, if any
 * @param clockSkew how far the clocks of issuer and ingest may be apart
 * @param jwksRefresh age from which a key set is fetched anew
 * @param jwksOutage how long the last key set is trusted while it cannot be fetched
 * @param serviceToken bearer of Tidegate's own services, which may publish anywhere and speak for their clients
 */
@ConfigurationProperties("tidegate.auth")
public record AuthSettings(
        @DefaultValue("false") boolean anonymous,
        @Nullable String hs256Secret,
        @Nullable String jwksUrl,
        @Nullable String issuer,
        @Nullable String audience,
        @DefaultValue("30s") Duration clockSkew,
        @DefaultValue("5m") Duration jwksRefresh,
        @DefaultValue("4h") Duration jwksOutage,
        @Nullable String serviceToken) {
    public AuthSettings {
        hs256Secret = absentIfEmpty(hs256Secret);
        jwksUrl = absentIfEmpty(jwksUrl);
        issuer = absentIfEmpty(issuer);
        audience = absentIfEmpty(audience);
        serviceToken = absentIfEmpty(serviceToken);
        if (hs256Secret != null && hs256Secret.getBytes(StandardCharsets.UTF_8).length < 32) {
            throw Settings.wrong("tidegate.auth.hs256-secret", "(not shown)", "at least 32 bytes");
        }
        if (jwksUrl != null && !isHttpUrl(jwksUrl)) {
            throw Settings.wrong("tidegate.auth.jwks-url", jwksUrl, "an http or https URL");
        }
        Settings.inRange("tidegate.auth.clock-skew", clockSkew, Duration.ZERO, Duration.ofMinutes(10));
        Settings.inRange("tidegate.auth.jwks-refresh", jwksRefresh, Duration.ofSeconds(10), Duration.ofDays(1));
        Settings.inRange("tidegate.auth.jwks-outage", jwksOutage, jwksRefresh, Duration.ofDays(30));
        if (serviceToken != null && serviceToken.length() < 16) {
            throw Settings.wrong("tidegate.auth.service-token", "(not shown)", "at least 16 characters");
        }
    }

    /** Without its secrets: records are logged. */
    @Override
    public String toString() {
        return "AuthSettings[anonymous=" + anonymous + ", hs256=" + (hs256Secret != null) + ", jwksUrl=" + jwksUrl
                + ", issuer=" + issuer + ", audience=" + audience + ", service=" + (serviceToken != null) + "]";
    }

    private static @Nullable String absentIfEmpty(@Nullable String value) {
        return value == null || value.isBlank() ? null : value;
    }

    private static boolean isHttpUrl(String url) {
        try {
            URI uri = URI.create(url);
            return uri.getHost() != null && ("http".equals(uri.getScheme()) || "https".equals(uri.getScheme()));
        } catch (IllegalArgumentException e) {
            return false;
        }
    }
}
