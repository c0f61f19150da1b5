package dev.tidegate.gateway.fanout;

import dev.tidegate.protocol.ChannelName;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** The {@link Delivery} of each declared namespace; others are ordered. Immutable; any thread. */
public final class Deliveries {
    /** Where every namespace is ordered. */
    public static final Deliveries ORDERED = new Deliveries(Map.of());

    private final Map<String, Delivery> byNamespace;

    public Deliveries(Map<String, Delivery> byNamespace) {
        this.byNamespace = Map.copyOf(byNamespace);
    }

    /** That of an interest's channel; looked up once for each. */
    Delivery of(Interest interest) {
        Delivery known = interest.delivery;
        if (known == null) {
            known = of(interest.name);
            interest.delivery = known;
        }
        return known;
    }

    private Delivery of(byte[] channel) {
        for (int i = 0; i < channel.length; i++) {
            if (channel[i] == ':') {
                return of(new String(channel, 0, i, StandardCharsets.US_ASCII));
            }
        }
        return of(ChannelName.DEFAULT_NAMESPACE);
    }

    private Delivery of(String namespace) {
        return byNamespace.getOrDefault(namespace, Delivery.ORDERED);
    }
}
