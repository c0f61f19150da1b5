package dev.tidegate.tokens;

import dev.tidegate.tokens.JwtVerifier.Verdict;
import java.time.Clock;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;

/**
 * Remembers good tokens until they end, so that somebody who sends the same one with every request pays for its signature
 * once. A key that its issuer withdraws counts until then, or until the memory is full. Any thread.
 */
public final class RememberedTokens implements AutoCloseable {
    /** Most tokens remembered; when full they are all forgotten, which costs one verification each. */
    static final int REMEMBERED = 10_000;

    private final JwtVerifier verifier;
    private final Clock clock;
    private final Map<String, Verdict.Accepted> good = new ConcurrentHashMap<>();

    /** @param verifier closed with this */
    public RememberedTokens(JwtVerifier verifier, Clock clock) {
        this.verifier = verifier;
        this.clock = clock;
    }

    /** Verifies; {@code done} is called once, at once or from another thread. */
    public void verify(String token, Consumer<Verdict> done) {
        Verdict.Accepted known = good.get(token);
        if (known != null && clock.millis() <= known.claims().expiresAtMillis()) {
            done.accept(known);
            return;
        }
        verifier.verify(token, verdict -> {
            if (verdict instanceof Verdict.Accepted accepted) {
                if (good.size() >= REMEMBERED) {
                    good.clear();
                }
                good.put(token, accepted);
            } else if (known != null) {
                good.remove(token);
            }
            done.accept(verdict);
        });
    }

    @Override
    public void close() {
        verifier.close();
    }
}
