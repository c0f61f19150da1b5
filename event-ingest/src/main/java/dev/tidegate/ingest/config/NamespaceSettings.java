package dev.tidegate.ingest.config;

import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * The declared namespaces ({@code tidegate.namespaces.<name>.…}), as far as publishing is concerned; gateways read more of
 * the same declaration.
 *
 * @param namespaces by name
 */
@ConfigurationProperties("tidegate")
public record NamespaceSettings(@DefaultValue Map<String, Namespace> namespaces) {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_.~+,=@#/-]+");

    public NamespaceSettings {
        namespaces = Map.copyOf(namespaces);
        for (String name : namespaces.keySet()) {
            if (!NAME.matcher(name).matches()) {
                throw Settings.wrong("tidegate.namespaces", name, "names of A-Z a-z 0-9 _ - . / @ # = ~ + ,");
            }
        }
    }

    /** How its events reach subscribers; gateways read it too. */
    public enum Delivery {
        /** In Kafka's order; the copy on Redis steps in when Kafka stands still. */
        ORDERED,
        /** Whichever copy is first. */
        FASTEST,
        /** Over Redis only: at most once, no cursor, no history. */
        EPHEMERAL
    }

    /**
     * One of them.
     *
     * @param personal its channels are named after subjects, who alone may use them
     * @param anonymousPublish whether publishers without a token may publish; unset = {@code tidegate.auth.anonymous}
     * @param publish whether publishers may publish at all; if not, only services and Kafka producers write here
     * @param delivery {@code ephemeral}: its events go to Redis only
     */
    public record Namespace(
            @DefaultValue("false") boolean personal,
            @Nullable Boolean anonymousPublish,
            @DefaultValue("true") boolean publish,
            @DefaultValue("ordered") Delivery delivery) {}
}
