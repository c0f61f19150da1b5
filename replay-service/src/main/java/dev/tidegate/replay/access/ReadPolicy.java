package dev.tidegate.replay.access;

import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import dev.tidegate.replay.config.NamespaceSettings.Namespace;
import dev.tidegate.tokens.ChannelPatterns;
import java.util.HashMap;
import java.util.Map;

/**
 * Who may read which channel's history: whoever may subscribe to it, by the rules that the gateway follows from the same
 * declarations. Immutable; any thread.
 */
public final class ReadPolicy {
    /** Most namespaces that an error message lists. */
    private static final int LISTED = 20;

    private record Rules(boolean personal, boolean anonymous, int historyLimit) {}

    private final Map<String, Rules> namespaces;
    private final String expected;

    /**
     * From the declarations.
     *
     * @param anonymousByDefault what a namespace that says nothing about anonymous readers means
     */
    public ReadPolicy(Map<String, Namespace> declared, boolean anonymousByDefault) {
        Map<String, Rules> rules = new HashMap<>();
        declared.forEach((name, n) -> {
            Boolean anonymous = n.anonymousSubscribe();
            rules.put(
                    name,
                    new Rules(n.personal(), anonymous == null ? anonymousByDefault : anonymous, n.historyLimit()));
        });
        this.namespaces = Map.copyOf(rules);
        this.expected = rules.isEmpty()
                ? "none is declared"
                : "one of " + rules.keySet().stream().sorted().limit(LISTED).toList();
    }

    /**
     * Lets pass or refuses; returns the most events that {@code last} gives on this channel.
     *
     * @throws ProtocolException {@code unknown_namespace}, {@code unauthenticated}, {@code forbidden}
     */
    public int check(Reader who, ChannelName channel) {
        Rules rules = namespaces.get(channel.namespace());
        if (rules == null) {
            throw new ProtocolException(
                    ErrorCode.UNKNOWN_NAMESPACE,
                    "channel: namespace '" + channel.namespace() + "' is not declared (expected: " + expected + ")");
        }
        String subject = who.subject();
        if (subject == null && (!rules.anonymous() || rules.personal())) {
            throw new ProtocolException(
                    ErrorCode.UNAUTHENTICATED, "channel: a token is needed to read '" + channel + "'");
        }
        ChannelPatterns patterns = who.subscribe();
        boolean allowed =
                rules.personal() ? channel.localName().equals(subject) : patterns == null || patterns.matches(channel);
        if (!allowed) {
            throw new ProtocolException(ErrorCode.FORBIDDEN, "channel: you may not read '" + channel + "'");
        }
        return rules.historyLimit();
    }
}
