package dev.tidegate.ingest.fallback;

import dev.tidegate.ingest.config.PublishSettings;
import dev.tidegate.ingest.publish.Event;
import dev.tidegate.protocol.FallbackCopy;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** Makes an event's copy: it says what the event's fan-out record says. Immutable; any thread. */
public final class Copies {
    private static final String SUBJECT = "subject";

    private final byte[] defaultSource;
    private final byte[] defaultType;

    public Copies(PublishSettings settings) {
        this.defaultSource = utf8(settings.source());
        this.defaultType = utf8(settings.defaultType());
    }

    /**
     * The copy of an event.
     *
     * @param millis the time stamp of its record, if it gets one
     */
    // Its compact constructor loses the @Nullable of arrays in the class file (javac), where NullAway looks for it.
    @SuppressWarnings("NullAway")
    public FallbackCopy of(Event event, long millis, boolean ephemeral) {
        String type = event.type();
        String source = event.source();
        return new FallbackCopy(
                ephemeral,
                event.channel().bytes(),
                utf8(event.id()),
                type == null ? defaultType : utf8(type),
                source == null ? defaultSource : utf8(source),
                utf8OrNull(subject(event)),
                millis,
                utf8OrNull(event.contentType()),
                utf8OrNull(event.traceparent()),
                event.payload());
    }

    private static @Nullable String subject(Event event) {
        for (Event.Attribute a : event.attributes()) {
            if (a.name().equals(SUBJECT)) {
                return a.value();
            }
        }
        return null;
    }

    private static byte[] utf8(String s) {
        return s.getBytes(StandardCharsets.UTF_8);
    }

    private static byte @Nullable [] utf8OrNull(@Nullable String s) {
        return s == null ? null : utf8(s);
    }
}
