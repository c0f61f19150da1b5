package dev.tidegate.gateway.session;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What clients may send as a compressed message, and what is made of it. */
class MessageInflaterTest {
    private static final int MAX = 100_000;

    private final MessageInflater inflater = new MessageInflater(MAX);

    @AfterEach
    void close() {
        inflater.close();
    }

    @ParameterizedTest
    @CsvSource({
        "f248cdc9c90700", // RFC 7692, 7.2.3.1: one compressed block
        "000500faff48656c6c6f00", // 7.2.3.3: a block that is not compressed
        "f348cdc9c9070000", // 7.2.3.4: a last block, and the start of another
        "f348cdc9c90700", // the same from a sender that leaves that start away
        "f248050000 00ffffcac9c90700", // 7.2.3.5: two blocks
    })
    void readsTheExamplesOfTheSpecification(String hex) {
        // when
        int n = inflater.inflate(HexFormat.of().parseHex(hex.replace(" ", "")));

        // then
        assertThat(new String(inflater.array(), 0, n, StandardCharsets.UTF_8)).isEqualTo("Hello");
    }

    @ParameterizedTest
    @ValueSource(strings = {"00", ""})
    void readsAnEmptyMessage(String hex) { // 7.2.3.6, and what some send instead
        assertThat(inflater.inflate(HexFormat.of().parseHex(hex))).isZero();
    }

    @Test
    void readsWhatFollowsALastBlock() {
        // given: "Hello" in a last block, then "Hello" in a block as usual
        byte[] twice = HexFormat.of().parseHex("f348cdc9c90700f248cdc9c90700");

        // when
        int n = inflater.inflate(twice);

        // then
        assertThat(new String(inflater.array(), 0, n, StandardCharsets.UTF_8)).isEqualTo("HelloHello");
    }

    @Test
    void knowsNothingOfTheMessageBefore() {
        // given: the second message refers back into the first one (7.2.3.2), which was agreed not to be
        inflater.inflate(HexFormat.of().parseHex("f248cdc9c90700"));

        // when / then
        assertThat(inflater.inflate(HexFormat.of().parseHex("f200110000"))).isEqualTo(MessageInflater.CORRUPT);
    }

    @Test
    void readsAMessageOfTheLargestSizeAndNotAByteMore() {
        // given
        byte[] largest = new byte[MAX];
        new Random(7).nextBytes(largest);
        byte[] oneMore = Arrays.copyOf(largest, MAX + 1);

        // when
        int n = inflater.inflate(Deflated.of(largest));

        // then
        assertThat(Arrays.copyOf(inflater.array(), n)).isEqualTo(largest);
        assertThat(inflater.inflate(Deflated.of(oneMore))).isEqualTo(MessageInflater.TOO_LARGE);
        assertThat(inflater.inflate(Deflated.of("after".getBytes(StandardCharsets.UTF_8))))
                .isEqualTo(5);
    }

    @Test
    void givesABombUpBeforeItGrows() {
        // given: 20 MB in 20 KB
        byte[] bomb = Deflated.of(new byte[20 << 20]);
        assertThat(bomb.length).isLessThan(MAX);

        // when / then
        assertThat(inflater.inflate(bomb)).isEqualTo(MessageInflater.TOO_LARGE);
        assertThat(inflater.array().length).isEqualTo(MAX + 1);
    }

    @Test
    void refusesBytesThatAreNoBlocks() {
        assertThat(inflater.inflate(new byte[] {7, 7, 7}))
                .isEqualTo(MessageInflater.CORRUPT); // a block type that is none
    }
}
