package dev.tidegate.perf.swarm;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MembersTest {
    private static Map<String, String> read(String json) {
        byte[] b = ("##" + json + "##").getBytes(UTF_8);
        Members m = new Members().of(b, 2, b.length - 2);
        Map<String, String> out = new LinkedHashMap<>();
        while (m.next()) {
            out.put(
                    new String(b, m.nameFrom, m.nameTo - m.nameFrom, UTF_8),
                    new String(b, m.from, m.to - m.from, UTF_8));
        }
        return m.malformed() ? null : out;
    }

    @Test
    void membersAreFoundWhateverStandsInTheOthers() {
        // given
        String json =
                " { \"a\" : 1 , \"b\":\"x\\\"},{\", \"c\":{\"d\":[\"]\",{\"e\":\"}\"}]},\"f\":true,\"g\":[],\"h\":-1.5e3 } ";

        // when
        Map<String, String> members = read(json);

        // then
        assertThat(members)
                .containsExactly(
                        Map.entry("a", "1"),
                        Map.entry("b", "x\\\"},{"),
                        Map.entry("c", "{\"d\":[\"]\",{\"e\":\"}\"}]}"),
                        Map.entry("f", "true"),
                        Map.entry("g", "[]"),
                        Map.entry("h", "-1.5e3"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "[]",
                "{",
                "{\"a\"",
                "{\"a\":",
                "{\"a\":1",
                "{\"a\":\"",
                "{\"a\":\"\\",
                "{\"a\":[1}",
                "{,}",
                "{\"a\":1 \"b\":2}",
                "{a:1}",
                "{} x",
                "{\"a\":}",
                "\"a\""
            })
    void whatIsNoObjectIsTold(String json) {
        // given a text that is no JSON object
        // when
        Map<String, String> members = read(json);

        // then
        assertThat(members).isNull();
    }

    @Test
    void anEmptyObjectHasNone() {
        // given an object without members
        // when
        Map<String, String> members = read("{ }");

        // then
        assertThat(members).isEmpty();
    }

    @Test
    void everyMemberOfAnEventIsReadInAnyOrder() {
        // given
        byte[] b =
                "{\"data\":\"@@1:2@@\",\"future\":{\"op\":\"gap\"},\"replay\":true,\"id\":\"i\",\"prev\":-1,\"cursor\":\"E.1.5\",\"channel\":\"c\",\"op\":\"event\"}"
                        .getBytes(UTF_8);
        Frame f = new Frame();

        // when
        boolean read = f.read(b, 0, b.length);

        // then
        assertThat(read).isTrue();
        assertThat(f.op).isEqualTo(Frame.Op.EVENT);
        assertThat(f.prev()).isEqualTo(-1);
        assertThat(f.replay).isTrue();
        assertThat(f.id.in(b)).isEqualTo("i");
        assertThat(f.channel.in(b)).isEqualTo("c");
        Place place = new Place();
        assertThat(place.read(b, f.cursor.from, f.cursor.to)).isTrue();
        assertThat(place.partition).isEqualTo(1);
        assertThat(place.offset).isEqualTo(5);
        Marker marker = new Marker();
        assertThat(marker.read(b, f.data.from, f.data.to)).isTrue();
        assertThat(marker.sequence).isEqualTo(1);
        assertThat(marker.nanos).isEqualTo(2);
    }

    @ParameterizedTest
    @ValueSource(ints = {Marker.MIN_SIZE, 128, 5000})
    void aMarkerHasTheSizeAskedForAndIsReadBack(int size) {
        // given the largest numbers
        byte[] payload = Marker.payload(Integer.MAX_VALUE, Long.MAX_VALUE, size);
        Marker marker = new Marker();

        // when
        boolean read = marker.read(payload, 1, payload.length - 1);

        // then
        assertThat(payload).hasSize(size);
        assertThat(read).isTrue();
        assertThat(marker.sequence).isEqualTo(Integer.MAX_VALUE);
        assertThat(marker.nanos).isEqualTo(Long.MAX_VALUE);
    }
}
