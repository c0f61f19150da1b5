package dev.tidegate.tokens;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.JWSVerifier;
import com.nimbusds.jose.crypto.ECDSAVerifier;
import com.nimbusds.jose.crypto.RSASSAVerifier;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.KeyUse;
import com.nimbusds.jose.jwk.RSAKey;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.text.ParseException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The public keys of a token issuer (a JWK set behind a URL), kept at hand. Looking a key up never waits: it is answered
 * from the last set at once, or, when the set has no such key, after the one fetch that is under way. Fetches run on
 * virtual threads, one at a time, no more often than {@link #MIN_INTERVAL}, whatever key ids strangers invent. While the
 * issuer is away the last set is trusted for a while. Any thread.
 */
public final class IssuerKeys implements AutoCloseable {
    /** Between two fetches, so that tokens with invented key ids do not make us hammer the issuer. */
    static final Duration MIN_INTERVAL = Duration.ofSeconds(10);

    /** Most tokens that wait for a fetch; of more it is said at once that they cannot be judged now. */
    static final int MAX_WAITING = 20_000;

    /** Largest key set that is read. */
    private static final int MAX_BYTES = 1 << 20;

    /** Most keys of a set that count; real ones have two or three. */
    private static final int MAX_KEYS = 64;

    /** Most keys that are tried on a token that does not name one. */
    private static final int MAX_TRIED = 4;

    private static final Duration TIMEOUT = Duration.ofSeconds(5);
    private static final Logger LOG = LoggerFactory.getLogger(IssuerKeys.class);

    /** What a look-up found. */
    sealed interface Found {
        /** Keys that can have signed the token, best first; never empty. */
        record Keys(List<JWSVerifier> verifiers) implements Found {}

        /** The issuer has no such key. */
        record Unknown() implements Found {}

        /** The keys cannot be had now. */
        record Unavailable() implements Found {}
    }

    private record Key(@Nullable String id, @Nullable String algorithm, JWSVerifier verifier) {
        boolean fits(JWSHeader header) {
            return (header.getKeyID() == null || header.getKeyID().equals(id))
                    && (algorithm == null
                            || algorithm.equals(header.getAlgorithm().getName()))
                    && verifier.supportedJWSAlgorithms().contains(header.getAlgorithm());
        }
    }

    private record Snapshot(List<Key> keys, long fetchedAt) {}

    private record Waiting(JWSHeader header, Consumer<Found> done) {}

    private final URI url;
    private final long refreshNanos;
    private final long outageNanos;
    private final LongSupplier nanoClock;
    private final HttpClient http;

    private volatile @Nullable Snapshot snapshot;

    // Guarded by this.
    private final ArrayDeque<Waiting> waiting = new ArrayDeque<>();
    private boolean fetching;
    private long nextFetchAt;

    /**
     * Begins to fetch.
     *
     * @param refresh age from which the set is fetched anew, in the background
     * @param outage age up to which a set that cannot be renewed is trusted
     */
    public IssuerKeys(URI url, Duration refresh, Duration outage) {
        this(url, refresh, outage, System::nanoTime);
    }

    IssuerKeys(URI url, Duration refresh, Duration outage, LongSupplier nanoClock) {
        this.url = url;
        this.refreshNanos = refresh.toNanos();
        this.outageNanos = outage.toNanos();
        this.nanoClock = nanoClock;
        this.nextFetchAt = nanoClock.getAsLong();
        this.http = HttpClient.newBuilder()
                .connectTimeout(TIMEOUT)
                .followRedirects(HttpClient.Redirect.NORMAL)
                .build();
        fetchIfAllowed();
    }

    /** Looks keys up; {@code done} is called once, mostly at once, else from the thread that fetched. */
    void find(JWSHeader header, Consumer<Found> done) {
        Snapshot s = snapshot;
        long age = s == null ? Long.MAX_VALUE : nanoClock.getAsLong() - s.fetchedAt;
        if (s != null && age <= outageNanos) {
            if (age > refreshNanos) {
                fetchIfAllowed(); // in the background: the old keys will do
            }
            List<JWSVerifier> fitting = fitting(s, header);
            if (!fitting.isEmpty()) {
                done.accept(new Found.Keys(fitting));
                return;
            }
        }
        if (!waitForFetch(new Waiting(header, done))) {
            done.accept(s == null || age > outageNanos ? new Found.Unavailable() : new Found.Unknown());
        }
    }

    private static List<JWSVerifier> fitting(Snapshot s, JWSHeader header) {
        List<JWSVerifier> fitting = new ArrayList<>(1);
        for (Key k : s.keys) {
            if (fitting.size() < MAX_TRIED && k.fits(header)) {
                fitting.add(k.verifier);
            }
        }
        return fitting;
    }

    /** False if no fetch is under way and none may begin, or too many wait already. */
    private synchronized boolean waitForFetch(Waiting w) {
        fetchIfAllowed();
        if (!fetching || waiting.size() >= MAX_WAITING) {
            return false;
        }
        waiting.add(w);
        return true;
    }

    private synchronized void fetchIfAllowed() {
        if (!fetching && nanoClock.getAsLong() - nextFetchAt >= 0) {
            fetching = true;
            Thread.ofVirtual().name("issuer-keys").start(this::fetch);
        }
    }

    private void fetch() {
        boolean fetched = false;
        try {
            List<Key> keys = download();
            Snapshot before = snapshot;
            snapshot = new Snapshot(keys, nanoClock.getAsLong());
            fetched = true;
            if (before == null || !ids(before.keys).equals(ids(keys))) {
                LOG.info("{} keys of the token issuer: {}", keys.size(), ids(keys));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (IOException | ParseException | RuntimeException e) {
            LOG.warn("the token issuer's keys cannot be fetched from {}: {}", url, e.toString());
        } finally {
            answer(fetched);
        }
    }

    private void answer(boolean fetched) {
        List<Waiting> all;
        synchronized (this) {
            fetching = false;
            nextFetchAt = nanoClock.getAsLong() + MIN_INTERVAL.toNanos();
            all = List.copyOf(waiting);
            waiting.clear();
        }
        Snapshot s = snapshot;
        for (Waiting w : all) {
            List<JWSVerifier> fitting = s == null || !fetched ? List.of() : fitting(s, w.header);
            w.done.accept(
                    !fetched
                            ? new Found.Unavailable()
                            : fitting.isEmpty() ? new Found.Unknown() : new Found.Keys(fitting));
        }
    }

    private List<Key> download() throws IOException, InterruptedException, ParseException {
        HttpResponse<byte[]> response = http.send(
                HttpRequest.newBuilder(url)
                        .timeout(TIMEOUT)
                        .header("Accept", "application/jwk-set+json, application/json")
                        .build(),
                BodyHandlers.limiting(BodyHandlers.ofByteArray(), MAX_BYTES));
        if (response.statusCode() != 200) {
            throw new IOException("status " + response.statusCode());
        }
        List<Key> keys = new ArrayList<>();
        for (JWK jwk : JWKSet.parse(new String(response.body(), StandardCharsets.UTF_8))
                .getKeys()) {
            JWSVerifier verifier = verifier(jwk);
            if (verifier != null && keys.size() < MAX_KEYS) {
                String algorithm =
                        jwk.getAlgorithm() == null ? null : jwk.getAlgorithm().getName();
                keys.add(new Key(jwk.getKeyID(), algorithm, verifier));
            }
        }
        if (keys.isEmpty()) {
            throw new IOException("no key for signatures in it");
        }
        return keys;
    }

    /** Null for a key that is not for signatures, or of a kind we cannot use: others of the set may do. */
    private static @Nullable JWSVerifier verifier(JWK jwk) {
        if (jwk.getKeyUse() != null && !KeyUse.SIGNATURE.equals(jwk.getKeyUse())) {
            return null;
        }
        try {
            return switch (jwk) {
                case RSAKey rsa -> new RSASSAVerifier(rsa);
                case ECKey ec -> new ECDSAVerifier(ec);
                default -> null;
            };
        } catch (JOSEException e) {
            LOG.warn("key {} of the token issuer cannot be used: {}", jwk.getKeyID(), e.toString());
            return null;
        }
    }

    private static List<String> ids(List<Key> keys) {
        return keys.stream().map(k -> String.valueOf(k.id)).sorted().toList();
    }

    @Override
    public void close() {
        http.shutdownNow();
    }
}
