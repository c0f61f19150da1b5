package dev.tidegate.gateway.auth;

import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Who may do what on which channel: the declared namespaces and a token's patterns. Immutable; any thread.
 */
public final class AccessPolicy {
    /**
     * A declared namespace.
     *
     * @param historyLimit most events that {@code last} gives
     * @param personal open to the subject its channels are named after, alone
     * @param anonymousSubscribe whether clients without a token may subscribe
     * @param anonymousPublish whether clients without a token may publish
     * @param publish whether clients may publish at all
     */
    public record Namespace(
            int historyLimit,
            boolean personal,
            boolean anonymousSubscribe,
            boolean anonymousPublish,
            boolean publish) {}

    private final Map<String, Namespace> namespaces;

    public AccessPolicy(Map<String, Namespace> namespaces) {
        this.namespaces = Map.copyOf(namespaces);
    }

    /** The channel's namespace. @throws ProtocolException {@code unknown_namespace} if it is not declared */
    public Namespace namespace(ChannelName channel) {
        Namespace ns = namespaces.get(channel.namespace());
        if (ns == null) {
            throw new ProtocolException(
                    ErrorCode.UNKNOWN_NAMESPACE,
                    "channel: namespace '" + channel.namespace() + "' is not declared (expected: one of "
                            + namespaces.keySet().stream().sorted().toList() + ")");
        }
        return ns;
    }

    /** The namespace's rules. @throws ProtocolException {@code unknown_namespace}, {@code unauthenticated}, {@code forbidden} */
    public Namespace checkSubscribe(Identity who, ChannelName channel) {
        Namespace ns = namespace(channel);
        check(who, channel, ns, ns.anonymousSubscribe(), who.subscribe(), "subscribe to");
        return ns;
    }

    /** The same for publishing. @throws ProtocolException {@code unknown_namespace}, {@code unauthenticated}, {@code forbidden} */
    public void checkPublish(Identity who, ChannelName channel) {
        Namespace ns = namespace(channel);
        if (!ns.publish()) {
            throw new ProtocolException(
                    ErrorCode.FORBIDDEN, "channel: clients may not publish in namespace '" + channel.namespace() + "'");
        }
        check(who, channel, ns, ns.anonymousPublish(), who.publish(), "publish to");
    }

    private static void check(
            Identity who,
            ChannelName channel,
            Namespace ns,
            boolean anonymous,
            @Nullable List<String> patterns,
            String verb) {
        String subject = who.subject();
        if (subject == null && (!anonymous || ns.personal())) {
            throw new ProtocolException(
                    ErrorCode.UNAUTHENTICATED, "channel: a token is needed to " + verb + " '" + channel + "'");
        }
        boolean allowed =
                ns.personal() ? channel.localName().equals(subject) : patterns == null || matches(patterns, channel);
        if (!allowed) {
            throw new ProtocolException(ErrorCode.FORBIDDEN, "channel: you may not " + verb + " '" + channel + "'");
        }
    }

    private static boolean matches(List<String> patterns, ChannelName channel) {
        for (String p : patterns) {
            boolean prefix = p.endsWith("*");
            if (prefix ? channel.value().startsWith(p.substring(0, p.length() - 1)) : p.equals(channel.value())) {
                return true;
            }
        }
        return false;
    }
}
