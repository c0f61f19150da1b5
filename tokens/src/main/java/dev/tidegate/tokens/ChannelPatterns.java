package dev.tidegate.tokens;

import dev.tidegate.protocol.ChannelName;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The channel patterns of a token: exact names, or prefixes that ended in {@code *}. Taken apart once, when the token is
 * read, so that a subscription costs one look-up and a few prefix comparisons and allocates nothing. Immutable.
 */
public final class ChannelPatterns {
    /** Most patterns of one claim: with 255 bytes each they would not fit into a header anyway. */
    public static final int MAX_PATTERNS = 256;

    /** Matches no channel. */
    public static final ChannelPatterns NOTHING = new ChannelPatterns(Set.of(), new String[0]);

    private final Set<String> exact;
    private final String[] prefixes;

    private ChannelPatterns(Set<String> exact, String[] prefixes) {
        this.exact = exact;
        this.prefixes = prefixes;
    }

    /**
     * Takes patterns apart.
     *
     * @throws IllegalArgumentException if there are more than {@link #MAX_PATTERNS}, or one can match no channel name
     */
    public static ChannelPatterns of(List<String> patterns) {
        if (patterns.size() > MAX_PATTERNS) {
            throw new IllegalArgumentException(patterns.size() + " patterns (expected: at most " + MAX_PATTERNS + ")");
        }
        Set<String> exact = new HashSet<>();
        List<String> prefixes = new ArrayList<>();
        for (String p : patterns) {
            if (p.isEmpty() || p.length() > ChannelName.MAX_BYTES + 1) {
                throw new IllegalArgumentException("a pattern of " + p.length() + " characters (expected: 1 to "
                        + (ChannelName.MAX_BYTES + 1) + ")");
            }
            if (p.endsWith("*")) {
                prefixes.add(p.substring(0, p.length() - 1));
            } else {
                exact.add(p);
            }
        }
        return new ChannelPatterns(Set.copyOf(exact), prefixes.toArray(String[]::new));
    }

    /** Whether one of them matches. */
    public boolean matches(ChannelName channel) {
        if (exact.contains(channel.value())) {
            return true;
        }
        for (String prefix : prefixes) {
            if (channel.value().startsWith(prefix)) {
                return true;
            }
        }
        return false;
    }
}
