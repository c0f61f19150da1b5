package dev.tidegate.replay.kafka;

import dev.tidegate.protocol.ChannelName;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collection;

/**
 * Whether the key of a record, i.e. a channel's name in bytes, is of one of some namespaces. A few comparisons per record, nothing
 * allocated. Immutable.
 */
public final class NamespaceFilter {
    private final byte[][] names;

    /** A filter for these; each record's key is compared with all of them. */
    public NamespaceFilter(Collection<String> namespaces) {
        names = namespaces.stream()
                .sorted()
                .map(ns -> ns.getBytes(StandardCharsets.US_ASCII))
                .toArray(byte[][]::new);
    }

    private static final byte[] DEFAULT = ChannelName.DEFAULT_NAMESPACE.getBytes(StandardCharsets.US_ASCII);

    /** Whether a channel is of one of them. */
    public boolean matches(byte[] channel) {
        if (names.length == 0) {
            return false;
        }
        int colon = 0;
        while (colon < channel.length && channel[colon] != ':') {
            colon++;
        }
        boolean unnamed = colon == channel.length;
        for (byte[] name : names) {
            if (unnamed ? Arrays.equals(name, DEFAULT) : Arrays.equals(channel, 0, colon, name, 0, name.length)) {
                return true;
            }
        }
        return false;
    }
}
