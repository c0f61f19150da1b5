package dev.tidegate.it;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Signature;
import java.security.interfaces.RSAPublicKey;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import tools.jackson.databind.node.ObjectNode;

/** Makes JSON Web Tokens by hand (RFC 7515, RFC 7519), so that no library of the product vouches for itself; and serves the key set of one signer. */
final class Tokens {

    /** 32 bytes, the least that HS256 takes (RFC 7518, 3.2). */
    static final String SECRET = "an integration test's own secret";

    private static final Base64.Encoder BASE64 = Base64.getUrlEncoder().withoutPadding();
    private static final int RSA_BITS = 2048;

    private Tokens() {}

    /** Claims with a subject, valid for so long from now on. */
    static ObjectNode claims(String subject, Duration valid) {
        return Publisher.JSON
                .createObjectNode()
                .put("sub", subject)
                .put("exp", Instant.now().plus(valid).getEpochSecond());
    }

    /** A token signed with this secret. */
    static String hs256(String secret, ObjectNode claims) {
        String signed = part("{\"alg\":\"HS256\",\"typ\":\"JWT\"}") + "." + part(claims.toString());
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(secret.getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
            return signed + "." + BASE64.encodeToString(mac.doFinal(signed.getBytes(StandardCharsets.US_ASCII)));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    /** A token that says it needs no signature. */
    static String unsigned(ObjectNode claims) {
        return part("{\"alg\":\"none\"}") + "." + part(claims.toString()) + ".";
    }

    private static String part(String json) {
        return BASE64.encodeToString(json.getBytes(StandardCharsets.UTF_8));
    }

    /** A signer with an RSA key, and the HTTP server that has its key set. */
    static final class Signer implements AutoCloseable {
        private static final String KEY_ID = "tide-1";

        private final KeyPair keys;
        private final HttpServer server;

        Signer() {
            try {
                KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
                generator.initialize(RSA_BITS);
                keys = generator.generateKeyPair();
                server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
            } catch (GeneralSecurityException | IOException e) {
                throw new IllegalStateException(e);
            }
            byte[] keySet = keySet().getBytes(StandardCharsets.UTF_8);
            server.createContext("/keys", exchange -> {
                exchange.getResponseHeaders().set("Content-Type", "application/json");
                exchange.sendResponseHeaders(200, keySet.length);
                exchange.getResponseBody().write(keySet);
                exchange.close();
            });
            server.start();
        }

        String keySetUrl() {
            return "http://127.0.0.1:" + server.getAddress().getPort() + "/keys";
        }

        private String keySet() {
            RSAPublicKey key = (RSAPublicKey) keys.getPublic();
            return "{\"keys\":[{\"kty\":\"RSA\",\"use\":\"sig\",\"alg\":\"RS256\",\"kid\":\"" + KEY_ID + "\",\"n\":\""
                    + unsigned(key.getModulus()) + "\",\"e\":\"" + unsigned(key.getPublicExponent()) + "\"}]}";
        }

        private static String unsigned(BigInteger number) {
            byte[] bytes = number.toByteArray();
            return BASE64.encodeToString(bytes[0] == 0 ? Arrays.copyOfRange(bytes, 1, bytes.length) : bytes);
        }

        String rs256(ObjectNode claims) {
            String signed = part("{\"alg\":\"RS256\",\"kid\":\"" + KEY_ID + "\"}") + "." + part(claims.toString());
            try {
                Signature signature = Signature.getInstance("SHA256withRSA");
                signature.initSign(keys.getPrivate());
                signature.update(signed.getBytes(StandardCharsets.US_ASCII));
                return signed + "." + BASE64.encodeToString(signature.sign());
            } catch (GeneralSecurityException e) {
                throw new IllegalStateException(e);
            }
        }

        @Override
        public void close() {
            server.stop(0);
        }
    }
}
