package dev.tidegate.ingest.admission;

import dev.tidegate.tokens.ChannelPatterns;
import org.jspecify.annotations.Nullable;

/** Who publishes. Immutable. */
public sealed interface Publisher {
    /** Gave no token. */
    record Anonymous() implements Publisher {}

    /**
     * Gave a good token.
     *
     * @param subject {@code sub}
     * @param expiresAtMillis when the token ends, milliseconds since the epoch; {@link Long#MAX_VALUE} if never
     * @param publish channels that may be published to; null = all that are not personal
     */
    record Subject(
            String subject, long expiresAtMillis, @Nullable ChannelPatterns publish) implements Publisher {}

    /**
     * One of Tidegate's own services, which has checked its client itself.
     *
     * @param onBehalfOf its client's subject; null if it has none
     */
    record Service(@Nullable String onBehalfOf) implements Publisher {}

    /** The one anonymous publisher. */
    Publisher ANONYMOUS = new Anonymous();
}
