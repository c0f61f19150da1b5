package dev.tidegate.ingest.admission;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.ingest.config.NamespaceSettings.Delivery;
import dev.tidegate.ingest.config.NamespaceSettings.Namespace;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.ProtocolException;
import dev.tidegate.tokens.ChannelPatterns;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PublishPolicyTest {
    private static final Map<String, Namespace> DECLARED = Map.of(
            "default", new Namespace(false, null, true, Delivery.ORDERED),
            "open", new Namespace(false, true, true, Delivery.ORDERED),
            "closed", new Namespace(false, false, true, Delivery.ORDERED),
            "feed", new Namespace(false, true, false, Delivery.ORDERED),
            "user", new Namespace(true, true, true, Delivery.ORDERED));

    private static Publisher publisher(String who) {
        return switch (who) {
            case "anonymous" -> Publisher.ANONYMOUS;
            case "service" -> new Publisher.Service("joe");
            case "alice" -> new Publisher.Subject("alice", Long.MAX_VALUE, null);
            case "limited" ->
                new Publisher.Subject(
                        "alice", Long.MAX_VALUE, ChannelPatterns.of(List.of("news", "closed:eu/*", "user:bob")));
            case "mute" -> new Publisher.Subject("alice", Long.MAX_VALUE, ChannelPatterns.NOTHING);
            default -> throw new IllegalArgumentException(who);
        };
    }

    @ParameterizedTest
    @CsvSource({
        // who, channel, by default, where anonymous is let in by default
        "anonymous, news, unauthenticated, ok",
        "anonymous, open:a, ok, ok",
        "anonymous, closed:a, unauthenticated, unauthenticated",
        "anonymous, feed:a, forbidden, forbidden",
        "anonymous, user:alice, unauthenticated, unauthenticated",
        "anonymous, nope:a, unknown_namespace, unknown_namespace",
        "alice, news, ok, ok",
        "alice, closed:a, ok, ok",
        "alice, feed:a, forbidden, forbidden",
        "alice, user:alice, ok, ok",
        "alice, user:bob, forbidden, forbidden",
        "alice, nope:a, unknown_namespace, unknown_namespace",
        "limited, news, ok, ok",
        "limited, news2, forbidden, forbidden",
        "limited, closed:eu/1, ok, ok",
        "limited, closed:eu/, ok, ok",
        "limited, closed:us/1, forbidden, forbidden",
        "limited, user:alice, ok, ok",
        "limited, user:bob, forbidden, forbidden",
        "mute, news, forbidden, forbidden",
        "service, news, ok, ok",
        "service, feed:a, ok, ok",
        "service, user:bob, ok, ok",
        "service, nope:a, unknown_namespace, unknown_namespace",
    })
    void whoMayPublishWhere(String who, String channel, String strict, String lenient) {
        assertThat(check(who, channel, false)).isEqualTo(strict);
        assertThat(check(who, channel, true)).isEqualTo(lenient);
    }

    private static String check(String who, String channel, boolean anonymousByDefault) {
        try {
            new PublishPolicy(DECLARED, anonymousByDefault).check(publisher(who), new ChannelName(channel));
            return "ok";
        } catch (ProtocolException e) {
            return e.code().wire();
        }
    }
}
