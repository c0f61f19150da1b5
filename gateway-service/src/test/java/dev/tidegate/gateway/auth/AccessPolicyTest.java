package dev.tidegate.gateway.auth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tidegate.gateway.auth.AccessPolicy.Namespace;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import dev.tidegate.tokens.ChannelPatterns;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

class AccessPolicyTest {
    private static final AccessPolicy POLICY = new AccessPolicy(Map.of(
            "default", new Namespace(1000, false, false, false, true),
            "public", new Namespace(1000, false, true, false, true),
            "board", new Namespace(1000, false, true, true, false),
            "user", new Namespace(1000, true, true, true, true)));

    private static final Identity JOE = new Identity("joe", Long.MAX_VALUE, null, null);

    private static ChannelName channel(String name) {
        return new ChannelName(name);
    }

    private static void assertRefused(ThrowingCallable call, ErrorCode code) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        ProtocolException.class, e -> assertThat(e.code()).isEqualTo(code));
    }

    @Test
    void anonymousClientsMayWhatTheNamespaceLetsThem() {
        assertThatCode(() -> POLICY.checkSubscribe(Identity.ANONYMOUS, channel("public:a")))
                .doesNotThrowAnyException();
        assertRefused(() -> POLICY.checkPublish(Identity.ANONYMOUS, channel("public:a")), ErrorCode.UNAUTHENTICATED);
        assertRefused(() -> POLICY.checkSubscribe(Identity.ANONYMOUS, channel("a")), ErrorCode.UNAUTHENTICATED);
        assertRefused(() -> POLICY.checkSubscribe(Identity.ANONYMOUS, channel("user:joe")), ErrorCode.UNAUTHENTICATED);
        assertRefused(() -> POLICY.checkPublish(Identity.ANONYMOUS, channel("board:a")), ErrorCode.FORBIDDEN);
    }

    @Test
    void whoIsNotIdentifiedMayNothing() {
        assertRefused(
                () -> POLICY.checkSubscribe(Identity.UNIDENTIFIED, channel("public:a")), ErrorCode.UNAUTHENTICATED);
        assertRefused(() -> POLICY.checkPublish(Identity.UNIDENTIFIED, channel("public:a")), ErrorCode.UNAUTHENTICATED);
        assertThat(new Identity(null, Long.MAX_VALUE, ChannelPatterns.NOTHING, ChannelPatterns.NOTHING).identified())
                .isTrue();
    }

    @Test
    void personalChannelsAreTheirSubjectsAlone() {
        assertThatCode(() -> POLICY.checkSubscribe(JOE, channel("user:joe"))).doesNotThrowAnyException();
        assertRefused(() -> POLICY.checkSubscribe(JOE, channel("user:ann")), ErrorCode.FORBIDDEN);
        assertRefused(() -> POLICY.checkPublish(JOE, channel("user:ann")), ErrorCode.FORBIDDEN);
        Identity greedy =
                new Identity("joe", Long.MAX_VALUE, ChannelPatterns.of(List.of("*")), ChannelPatterns.NOTHING);
        assertRefused(() -> POLICY.checkSubscribe(greedy, channel("user:ann")), ErrorCode.FORBIDDEN);
        assertThat(POLICY.personalChannels(JOE)).containsExactly(channel("user:joe"));
        assertThat(POLICY.personalChannels(Identity.ANONYMOUS)).isEmpty();
        assertThat(POLICY.personalChannels(new Identity("Jo Doe", Long.MAX_VALUE, null, null)))
                .isEmpty();
    }

    @Test
    void patternsLimitATokenToTheirChannels() {
        Identity limited = new Identity(
                "joe",
                Long.MAX_VALUE,
                ChannelPatterns.of(List.of("news", "public:eu*")),
                ChannelPatterns.of(List.of("*")));
        assertThatCode(() -> POLICY.checkSubscribe(limited, channel("news"))).doesNotThrowAnyException();
        assertThatCode(() -> POLICY.checkSubscribe(limited, channel("public:eu/1")))
                .doesNotThrowAnyException();
        assertRefused(() -> POLICY.checkSubscribe(limited, channel("news2")), ErrorCode.FORBIDDEN);
        assertRefused(() -> POLICY.checkSubscribe(limited, channel("public:us")), ErrorCode.FORBIDDEN);
        assertThatCode(() -> POLICY.checkPublish(limited, channel("anything"))).doesNotThrowAnyException();
    }

    @Test
    void anUndeclaredNamespaceIsAnErrorThatNamesTheOthersUpToABound() {
        // given
        Map<String, Namespace> many = new HashMap<>();
        for (int i = 0; i < 500; i++) {
            many.put("ns" + i, new Namespace(1, false, false, false, true));
        }

        // when, then
        assertThatThrownBy(() -> POLICY.checkSubscribe(JOE, channel("nowhere:a")))
                .hasMessage("channel: namespace 'nowhere' is not declared"
                        + " (expected: one of [board, default, public, user])");
        assertThatThrownBy(() -> new AccessPolicy(many).checkSubscribe(JOE, channel("nowhere:a")))
                .hasMessageContaining("and 480 more")
                .satisfies(e -> assertThat(e.getMessage()).hasSizeLessThan(400));
        assertThatThrownBy(() -> new AccessPolicy(Map.of()).checkSubscribe(JOE, channel("a")))
                .hasMessageContaining("none is declared");
    }

    @Test
    void anonymousClientsMayStayWhereSomeNamespaceLetsThemIn() {
        Map<String, Namespace> closed = Map.of("a", new Namespace(1, false, false, false, true));
        assertThat(POLICY.anonymousAllowed()).isTrue();
        assertThat(new AccessPolicy(closed).anonymousAllowed()).isFalse();
        assertThat(new AccessPolicy(closed, true).anonymousAllowed()).isTrue();
    }
}
