package dev.tidegate.ingest.admission;

import dev.tidegate.ingest.config.NamespaceSettings;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import dev.tidegate.tokens.ChannelPatterns;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Who may publish where: the declared namespaces and a token's patterns. The same rules as the gateway's, which sees the
 * same declarations. Immutable; any thread.
 */
public final class PublishPolicy {
    private record Rules(boolean personal, boolean anonymous, boolean publish) {}

    private final Map<String, Rules> namespaces;
    private final List<String> names;

    /**
     * From the declarations.
     *
     * @param anonymousByDefault what a namespace that says nothing about anonymous publishers means
     */
    public PublishPolicy(Map<String, NamespaceSettings.Namespace> declared, boolean anonymousByDefault) {
        Map<String, Rules> rules = new HashMap<>();
        declared.forEach((name, n) -> {
            Boolean anonymous = n.anonymousPublish();
            rules.put(name, new Rules(n.personal(), anonymous == null ? anonymousByDefault : anonymous, n.publish()));
        });
        this.namespaces = Map.copyOf(rules);
        this.names = rules.keySet().stream().sorted().toList();
    }

    /** Lets pass or refuses. @throws ProtocolException {@code unknown_namespace}, {@code unauthenticated}, {@code forbidden} */
    public void check(Publisher who, ChannelName channel) {
        Rules rules = namespaces.get(channel.namespace());
        if (rules == null) {
            throw new ProtocolException(
                    ErrorCode.UNKNOWN_NAMESPACE,
                    "channel: namespace '" + channel.namespace() + "' is not declared (expected: one of " + names
                            + ")");
        }
        if (who instanceof Publisher.Service) {
            return;
        }
        if (!rules.publish()) {
            throw new ProtocolException(
                    ErrorCode.FORBIDDEN,
                    "channel: publishers may not publish in namespace '" + channel.namespace() + "'");
        }
        switch (who) {
            case Publisher.Anonymous a -> {
                if (!rules.anonymous() || rules.personal()) {
                    throw new ProtocolException(
                            ErrorCode.UNAUTHENTICATED, "channel: a token is needed to publish to '" + channel + "'");
                }
            }
            case Publisher.Subject s -> {
                ChannelPatterns patterns = s.publish();
                boolean allowed = rules.personal()
                        ? channel.localName().equals(s.subject())
                        : patterns == null || patterns.matches(channel);
                if (!allowed) {
                    throw new ProtocolException(
                            ErrorCode.FORBIDDEN, "channel: you may not publish to '" + channel + "'");
                }
            }
            case Publisher.Service s -> throw new IllegalStateException("decided above");
        }
    }
}
