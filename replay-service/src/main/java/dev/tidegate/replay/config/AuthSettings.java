package dev.tidegate.replay.config;

import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * Who is believed: people who read history (tokens), and gateways (the service token).
 *
 * @param anonymous whether people may read without a token, where their namespace does not say otherwise
 * @param hs256Secret secret of HMAC-SHA-256 tokens, at least 32 bytes (RFC 7518, 3.2); null: such tokens are refused
 * @param jwksUrl where the key set for RSA and elliptic-curve tokens is fetched; null: such tokens are refused
 * @param issuer the {@code iss} a token must have; null: any
 * @param audience an {@code aud} a token must have; null: any
 * @param clockSkew how far the clocks of issuer and service may be apart
 * @param jwksRefresh age from which a key set is fetched anew
 * @param jwksOutage how long the last key set is trusted while it cannot be fetched
 * @param serviceToken what gateways must show; null: none is believed and {@code POST /v1/replay} answers 401
 */
@ConfigurationProperties("tidegate.auth")
public record AuthSettings(
        @DefaultValue("false") boolean anonymous,
        @Nullable String hs256Secret,
        @Nullable URI jwksUrl,
        @Nullable String issuer,
        @Nullable String audience,
        @DefaultValue("30s") Duration clockSkew,
        @DefaultValue("5m") Duration jwksRefresh,
        @DefaultValue("4h") Duration jwksOutage,
        @Nullable String serviceToken) {
    private static final int MIN_SECRET_BYTES = 32;
    private static final int MIN_TOKEN_CHARACTERS = 16;

    public AuthSettings {
        hs256Secret = nullIfBlank(hs256Secret);
        issuer = nullIfBlank(issuer);
        audience = nullIfBlank(audience);
        serviceToken = nullIfBlank(serviceToken);
        jwksUrl = jwksUrl == null || jwksUrl.toString().isBlank() ? null : jwksUrl;
        if (hs256Secret != null) {
            int bytes = hs256Secret.getBytes(StandardCharsets.UTF_8).length;
            if (bytes < MIN_SECRET_BYTES) {
                throw new InvalidSetting(
                        "tidegate.auth.hs256-secret", bytes + " bytes", "at least " + MIN_SECRET_BYTES + " bytes");
            }
        }
        if (jwksUrl != null && !isHttp(jwksUrl)) {
            throw new InvalidSetting("tidegate.auth.jwks-url", jwksUrl, "http://host… or https://host…");
        }
        if (serviceToken != null && serviceToken.length() < MIN_TOKEN_CHARACTERS) {
            throw new InvalidSetting(
                    "tidegate.auth.service-token", "(not shown)", "at least " + MIN_TOKEN_CHARACTERS + " characters");
        }
        InvalidSetting.unlessBetween("tidegate.auth.clock-skew", clockSkew, Duration.ZERO, Duration.ofMinutes(10));
        InvalidSetting.unlessBetween(
                "tidegate.auth.jwks-refresh", jwksRefresh, Duration.ofSeconds(1), Duration.ofDays(1));
        InvalidSetting.unlessBetween("tidegate.auth.jwks-outage", jwksOutage, jwksRefresh, Duration.ofDays(30));
    }

    private static boolean isHttp(URI url) {
        return url.getHost() != null && ("http".equals(url.getScheme()) || "https".equals(url.getScheme()));
    }

    private static @Nullable String nullIfBlank(@Nullable String s) {
        return s == null || s.isBlank() ? null : s;
    }

    /** Without its secrets: records are logged. */
    @Override
    public String toString() {
        return "AuthSettings[anonymous=" + anonymous + ", hs256=" + (hs256Secret != null) + ", jwksUrl=" + jwksUrl
                + ", issuer=" + issuer + ", audience=" + audience + ", serviceToken=" + (serviceToken != null) + "]";
    }
}
