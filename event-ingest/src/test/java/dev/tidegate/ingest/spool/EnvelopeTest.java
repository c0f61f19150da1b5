package dev.tidegate.ingest.spool;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tidegate.ingest.publish.Event;
import dev.tidegate.protocol.ChannelName;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class EnvelopeTest {
    private static final byte[] PAYLOAD = {0, 1, 2};

    private static Event back(Event e) {
        return Envelope.decode(e.channel().value(), e.id(), Envelope.encode(e), e.payload());
    }

    @Test
    void whatIsThereComesBack() {
        Event full = new Event(
                ChannelName.parse("chat:a"),
                "é-1",
                "said",
                "/source",
                "text/plain; charset=utf-8",
                PAYLOAD,
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                List.of(new Event.Attribute("authtype", "app_user"), new Event.Attribute("authid", "a\0b猫")));
        assertThat(back(full)).isEqualTo(full);
        Event bare = new Event(ChannelName.parse("a"), "1", null, null, null, PAYLOAD, null, List.of());
        assertThat(back(bare)).isEqualTo(bare);
        Event empty = new Event(ChannelName.parse("a"), "1", "", null, null, PAYLOAD, null, List.of());
        assertThat(back(empty)).isEqualTo(empty);
    }

    @Test
    @DisplayName("One that is cut off or of a later version is refused, never misread")
    void brokenOnes() {
        byte[] good = Envelope.encode(new Event(
                ChannelName.parse("a"), "1", "t", null, null, PAYLOAD, null, List.of(new Event.Attribute("n", "v"))));
        for (int length = 0; length < good.length; length++) {
            byte[] cut = Arrays.copyOf(good, length);
            assertThatThrownBy(() -> Envelope.decode("a", "1", cut, PAYLOAD))
                    .isInstanceOf(IllegalArgumentException.class);
        }
        assertThatThrownBy(() -> Envelope.decode("a", "1", Arrays.copyOf(good, good.length + 1), PAYLOAD))
                .hasMessage("envelope: 1 bytes after its end");
        byte[] later = good.clone();
        later[0] = 2;
        assertThatThrownBy(() -> Envelope.decode("a", "1", later, PAYLOAD))
                .hasMessage("envelope: version 2 (expected: 1)");
    }
}
