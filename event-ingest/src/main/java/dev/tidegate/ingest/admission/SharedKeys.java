package dev.tidegate.ingest.admission;

import java.time.Duration;
import java.util.concurrent.CompletionStage;

/**
 * Idempotency keys that all instances share: Redis in production ({@link RedisKeys}), a map in tests of the rules. All
 * calls return at once and complete within a small bound; a stage that fails means: no shared memory now.
 */
interface SharedKeys {
    /** Whether it is worth asking. */
    boolean available();

    /** Writes {@code marker} for {@code ttl} unless the key has a value; completes with that value, or with "". */
    CompletionStage<String> claim(String key, String marker, Duration ttl);

    /** The key's value, or "". */
    CompletionStage<String> read(String key);

    /** Replaces the key's value. */
    CompletionStage<?> store(String key, String value, Duration ttl);

    /** Removes the key if it still has this value. */
    CompletionStage<?> removeIf(String key, String value);
}
