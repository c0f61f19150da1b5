package dev.tidegate.ingest.api;

import dev.tidegate.protocol.ChannelName;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One item of {@code POST /v1/events}, before permissions. */
sealed interface BatchItem {
    /**
     * Well-formed.
     *
     * @param channels where it goes
     * @param several whether it was sent with {@code channels}, so that its result has one line for each
     * @param data its payload, a JSON document
     */
    record Good(
            List<ChannelName> channels,
            boolean several,
            byte[] data,
            @Nullable String id,
            @Nullable String type) implements BatchItem {}

    /** Not to be published. */
    record Bad(Problem problem) implements BatchItem {}
}
