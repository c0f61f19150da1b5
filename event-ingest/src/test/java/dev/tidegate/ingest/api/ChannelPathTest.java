package dev.tidegate.ingest.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.http.server.PathContainer;

class ChannelPathTest {
    private static PathContainer path(String channel) {
        return PathContainer.parsePath("/v1/channels/" + channel + "/events");
    }

    @ParameterizedTest
    @CsvSource(
            quoteCharacter = '`',
            value = {
                "news, news",
                "orders:eu, orders:eu",
                "orders%3Aeu%2F42%23x%40y, orders:eu/42#x@y",
                "a=b, a=b",
                "a+b, a+b",
                "`a,b`, `a,b`",
                "%41, A"
            })
    void decodes(String raw, String channel) {
        assertThat(ChannelPath.channel(path(raw)).value()).isEqualTo(channel);
    }

    @ParameterizedTest
    @ValueSource(strings = {"a;b", "a;x=1", "%C3%A9", "%20", "a%00", "a*b", "%3Aa"})
    void refuses(String raw) {
        assertThatThrownBy(() -> ChannelPath.channel(path(raw)))
                .isInstanceOfSatisfying(
                        ProtocolException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.CHANNEL_INVALID));
    }
}
