package dev.tidegate.gateway.config;

import dev.tidegate.gateway.auth.SlowClient;
import dev.tidegate.gateway.fanout.Delivery;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * The declared namespaces. A channel of any other one is an error, never a silent default.
 *
 * @param namespaces name to rules; may be empty, which is told at start, since nothing can be subscribed to then
 */
@ConfigurationProperties("tidegate")
public record NamespaceSettings(@DefaultValue Map<String, Namespace> namespaces) {
    /** Most namespaces: they are listed in error messages and scanned at start. */
    public static final int MAX_NAMESPACES = 1000;

    public NamespaceSettings {
        namespaces = Map.copyOf(namespaces);
        if (namespaces.size() > MAX_NAMESPACES) {
            throw new InvalidSetting("tidegate.namespaces", namespaces.size(), "at most " + MAX_NAMESPACES);
        }
        namespaces.forEach((name, ns) -> {
            if (!name.matches("[A-Za-z0-9_./@#=~+,-]{1,64}")) {
                throw new InvalidSetting(
                        "tidegate.namespaces." + name,
                        "",
                        "a name of 1 to 64 characters of A-Z a-z 0-9 _ - . / @ # = ~ + ,");
            }
            ns.check("tidegate.namespaces." + name);
        });
    }

    /**
     * One namespace's rules.
     *
     * @param historyLimit most events that {@code last} gives
     * @param personal open to the subject its channels are named after, alone
     * @param anonymousSubscribe whether clients without a token may subscribe; null: if they are allowed at all
     * @param anonymousPublish whether clients without a token may publish; null: if they are allowed at all
     * @param publish whether clients may publish at all
     * @param slowClient what happens to subscriptions of a connection that takes no more
     * @param delivery what is done with the copies of events that come over Redis
     * @param presence whether its subscribers see who else is there
     */
    public record Namespace(
            @DefaultValue("1000") int historyLimit,
            @DefaultValue("false") boolean personal,
            @Nullable Boolean anonymousSubscribe,
            @Nullable Boolean anonymousPublish,
            @DefaultValue("true") boolean publish,
            @DefaultValue("park") SlowClient slowClient,
            @DefaultValue("ordered") Delivery delivery,
            @DefaultValue("false") boolean presence) {
        private void check(String name) {
            InvalidSetting.unlessBetween(name + ".history-limit", historyLimit, 0, 1_000_000);
            if (personal && Boolean.TRUE.equals(anonymousSubscribe)) {
                throw new InvalidSetting(name + ".anonymous-subscribe", true, "false, since the namespace is personal");
            }
            if (slowClient == SlowClient.CONFLATE && delivery == Delivery.FASTEST) {
                throw new InvalidSetting(
                        name + ".slow-client",
                        "conflate",
                        "park, drop or disconnect while " + name + ".delivery is fastest: which event of a subject is"
                                + " the newest is known by its place in Kafka, which a copy over Redis does not have");
            }
        }

        /** Lets {@code chat: {}} declare a namespace with every default: the binder sees an empty text there. */
        public static Namespace valueOf(String text) {
            if (!text.isBlank()) {
                throw new InvalidSetting("tidegate.namespaces.*", text, "nothing, or the namespace's settings");
            }
            return new Namespace(1000, false, null, null, true, SlowClient.PARK, Delivery.ORDERED, false);
        }
    }
}
