package dev.tidegate.perf.swarm;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;

/** Bearer tokens for connections: the one given, one signed here for each (HS256), or none. Of one loop. */
final class Tokens {
    private static final Base64.Encoder BASE64 = Base64.getUrlEncoder().withoutPadding();
    private static final String HEADER =
            BASE64.encodeToString("{\"alg\":\"HS256\",\"typ\":\"JWT\"}".getBytes(StandardCharsets.UTF_8));

    private final @Nullable String given;
    private final @Nullable Mac mac;

    Tokens(@Nullable String given, @Nullable String secret) {
        this.given = given;
        try {
            if (secret == null) {
                mac = null;
            } else {
                mac = Mac.getInstance("HmacSHA256");
                mac.init(new SecretKeySpec(secret.getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
            }
        } catch (GeneralSecurityException e) {
            throw new IllegalArgumentException("--hs256: no usable secret", e);
        }
    }

    /** The token of a connection, good for a day; null if it has none. */
    @Nullable
    String of(int connection) {
        Mac m = mac;
        if (m == null) {
            return given;
        }
        long expires = System.currentTimeMillis() / 1000 + 86_400;
        String claims = "{\"sub\":\"swarm-" + connection + "\",\"exp\":" + expires + "}";
        String signed = HEADER + "." + BASE64.encodeToString(claims.getBytes(StandardCharsets.UTF_8));
        return signed + "." + BASE64.encodeToString(m.doFinal(signed.getBytes(StandardCharsets.US_ASCII)));
    }
}
