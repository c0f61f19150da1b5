package dev.tidegate.gateway.auth;

import dev.tidegate.gateway.fanout.Delivery;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import dev.tidegate.tokens.ChannelPatterns;
import java.util.ArrayList;
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
     * @param slowClient what happens to subscriptions of a connection that takes no more
     * @param delivery what is done with the copies of events that come over Redis
     */
    public record Namespace(
            int historyLimit,
            boolean personal,
            boolean anonymousSubscribe,
            boolean anonymousPublish,
            boolean publish,
            SlowClient slowClient,
            Delivery delivery) {
        /** One that is ordered and whose slow clients are parked. */
        public Namespace(
                int historyLimit,
                boolean personal,
                boolean anonymousSubscribe,
                boolean anonymousPublish,
                boolean publish) {
            this(
                    historyLimit,
                    personal,
                    anonymousSubscribe,
                    anonymousPublish,
                    publish,
                    SlowClient.PARK,
                    Delivery.ORDERED);
        }
    }

    /** Most namespaces an error message lists: a client asks for as many messages as it likes. */
    private static final int LISTED = 20;

    private final Map<String, Namespace> namespaces;
    private final List<String> personal;
    private final String expected;

    private final boolean anonymousAllowed;

    /** A policy under which clients without a token may stay if some namespace lets them do something. */
    public AccessPolicy(Map<String, Namespace> namespaces) {
        this(namespaces, false);
    }

    /** @param anonymous whether clients without a token may stay in any case */
    public AccessPolicy(Map<String, Namespace> namespaces, boolean anonymous) {
        this.namespaces = Map.copyOf(namespaces);
        this.anonymousAllowed = anonymous
                || namespaces.values().stream().anyMatch(ns -> ns.anonymousSubscribe() || ns.anonymousPublish());
        this.personal = namespaces.entrySet().stream()
                .filter(e -> e.getValue().personal())
                .map(Map.Entry::getKey)
                .sorted()
                .toList();
        this.expected = namespaces.isEmpty()
                ? "none is declared"
                : "one of "
                        + namespaces.keySet().stream().sorted().limit(LISTED).toList()
                        + (namespaces.size() > LISTED ? " and " + (namespaces.size() - LISTED) + " more" : "");
    }

    /** Whether a client without a token may stay; if not, it has to send a {@code connect} frame first. */
    public boolean anonymousAllowed() {
        return anonymousAllowed;
    }

    /** The channel's namespace. @throws ProtocolException {@code unknown_namespace} if it is not declared */
    public Namespace namespace(ChannelName channel) {
        Namespace ns = namespaces.get(channel.namespace());
        if (ns == null) {
            throw new ProtocolException(
                    ErrorCode.UNKNOWN_NAMESPACE,
                    "channel: namespace '" + channel.namespace() + "' is not declared (expected: " + expected + ")");
        }
        return ns;
    }

    /**
     * The personal channels of this client, which it joins by connecting: one per personal namespace. Empty without a
     * subject, or when the subject cannot stand in a channel name.
     */
    public List<ChannelName> personalChannels(Identity who) {
        String subject = who.subject();
        if (subject == null || personal.isEmpty()) {
            return List.of();
        }
        List<ChannelName> channels = new ArrayList<>(personal.size());
        for (String namespace : personal) {
            try {
                channels.add(new ChannelName(namespace + ":" + subject));
            } catch (ProtocolException e) {
                // An e-mail address or a GUID can be a channel's name, "Jo Doe" cannot: such a subject has none.
                return List.of();
            }
        }
        return channels;
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
            @Nullable ChannelPatterns patterns,
            String verb) {
        if (!who.identified()) {
            throw new ProtocolException(
                    ErrorCode.UNAUTHENTICATED,
                    "identify yourself first (expected: a token at the handshake, or a connect frame)");
        }
        String subject = who.subject();
        if (subject == null && (!anonymous || ns.personal())) {
            throw new ProtocolException(
                    ErrorCode.UNAUTHENTICATED, "channel: a token is needed to " + verb + " '" + channel + "'");
        }
        boolean allowed =
                ns.personal() ? channel.localName().equals(subject) : patterns == null || patterns.matches(channel);
        if (!allowed) {
            throw new ProtocolException(ErrorCode.FORBIDDEN, "channel: you may not " + verb + " '" + channel + "'");
        }
    }
}
