package dev.tidegate.replay.config;

import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * The declared namespaces ({@code tidegate.namespaces.<name>.…}), as far as reading history is concerned.
 *
 * @param namespaces by name; may be empty, which is told at start, since no history can be read over HTTP then
 */
@ConfigurationProperties("tidegate")
public record NamespaceSettings(@DefaultValue Map<String, Namespace> namespaces) {
    /** Most namespaces: each that is kept out of memory is compared with the key of every record. */
    public static final int MAX_NAMESPACES = 1000;

    public NamespaceSettings {
        namespaces = Map.copyOf(namespaces);
        if (namespaces.size() > MAX_NAMESPACES) {
            throw new InvalidSetting("tidegate.namespaces", namespaces.size(), "at most " + MAX_NAMESPACES);
        }
        namespaces.forEach((name, ns) -> {
            if (!name.matches("[A-Za-z0-9_.~+,=@#/-]{1,64}")) {
                throw new InvalidSetting(
                        "tidegate.namespaces." + name, "", "names of 1 to 64 of A-Z a-z 0-9 _ - . / @ # = ~ + ,");
            }
            InvalidSetting.unlessBetween(
                    "tidegate.namespaces." + name + ".history-limit", ns.historyLimit(), 0, 1_000_000);
        });
    }

    /**
     * One namespace's rules.
     *
     * @param historyLimit most events that {@code last} gives
     * @param personal open to the subject its channels are named after, alone
     * @param anonymousSubscribe whether people without a token may read; null: if they are allowed at all
     * @param recent whether its events are kept in memory; if not, they are read from the archive or Kafka
     * @param archive whether its events are kept in PostgreSQL beyond Kafka's retention
     */
    public record Namespace(
            @DefaultValue("1000") int historyLimit,
            @DefaultValue("false") boolean personal,
            @Nullable Boolean anonymousSubscribe,
            @DefaultValue("true") boolean recent,
            @DefaultValue("false") boolean archive) {
        /**
         * Lets {@code chat: {}} declare a namespace with every default: the binder sees an empty text there. It then looks no further, so
         * a file that others add to declares each namespace by a setting.
         */
        public static Namespace valueOf(String text) {
            if (!text.isBlank()) {
                throw new InvalidSetting("tidegate.namespaces.*", text, "nothing, or the namespace's settings");
            }
            return new Namespace(1000, false, null, true, false);
        }
    }
}
