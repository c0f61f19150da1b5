package dev.tidegate.protocol;

import static dev.tidegate.protocol.Documents.utf8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class FallbackCopyTest {
    private static final FallbackCopy PLAIN = new FallbackCopy(
            false, utf8("news"), utf8("e-1"), null, null, null, 1_795_501_159_123L, null, null, utf8("{\"n\":1}"));
    private static final FallbackCopy WHOLE = new FallbackCopy(
            false,
            utf8("orders:eu"),
            utf8("o-1"),
            utf8("order.placed"),
            utf8("/shop"),
            utf8("7/é"),
            1_795_501_159_123L,
            utf8("text/plain"),
            utf8("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            utf8("placed"));
    private static final FallbackCopy EPHEMERAL =
            new FallbackCopy(true, utf8("typing:room-1"), utf8("t-1"), null, null, null, -1, null, null, utf8("true"));

    @Test
    void copiesHaveTheirGoldenBytes() {
        // given
        Map<String, FallbackCopy> copies = new LinkedHashMap<>();
        copies.put("plain", PLAIN);
        copies.put("whole", WHOLE);
        copies.put("ephemeral", EPHEMERAL);
        Map<String, String> golden = Golden.read("fallback-copies.txt");

        // when, then
        assertThat(golden.keySet()).isEqualTo(copies.keySet());
        copies.forEach((name, copy) -> {
            assertThat(HexFormat.of().formatHex(copy.encode())).as(name).isEqualTo(golden.get(name));
            assertSame(FallbackCopy.decode(HexFormat.of().parseHex(golden.get(name))), copy);
        });
    }

    @Test
    void whatWasWrittenIsRead() {
        Property.holds("decode(encode(copy)) = copy", 20_000, random -> {
            // given
            FallbackCopy copy = anyCopy(random);

            // when
            byte[] message = copy.encode();

            // then
            assertSame(FallbackCopy.decode(message), copy);
            assertThat(FallbackCopy.channelOf(message)).isEqualTo(copy.channel());
            assertThat(message.length - copy.payload().length)
                    .isLessThanOrEqualTo(FallbackCopy.MAX_BYTES_BESIDE_PAYLOAD);
        });
    }

    @Test
    void aDamagedMessageIsReadOrRefusedAndNothingElse() {
        int[] seen = new int[2];
        Property.holdsFor("damaged copy", 1_000, random -> {
            // given
            byte[] message = Documents.damaged(random, anyCopy(random).encode(), 1 + random.nextInt(4));
            if (random.nextInt(4) == 0) {
                message = Arrays.copyOf(message, random.nextInt(message.length + 1));
            }

            // when
            FallbackCopy read;
            try {
                read = FallbackCopy.decode(message);
            } catch (ProtocolException e) {
                seen[0]++;
                assertThat(e.text()).isNotEmpty();
                return;
            }

            // then
            seen[1]++;
            assertThat(ChannelName.isValid(read.channel())).isTrue();
            assertThat(FanoutRecord.isName(read.id())).isTrue();
            assertThat(FallbackCopy.channelOf(message)).isEqualTo(read.channel());
            assertSame(FallbackCopy.decode(read.encode()), read);
        });
        assertThat(seen).as("both ends were reached").doesNotContain(0);
    }

    @Test
    void noBytesMakeTheLookAtTheChannelThrow() {
        Property.holdsFor("channel of anything", 300, random -> {
            // given
            byte[] message = new byte[random.nextInt(400)];
            random.nextBytes(message);
            if (message.length > 0 && random.nextInt(4) > 0) {
                message[0] = FallbackCopy.VERSION;
            }

            // when
            byte[] channel = FallbackCopy.channelOf(message);

            // then
            assertThat(channel == null || ChannelName.isValid(channel)).isTrue();
        });
    }

    @Test
    void aRefusalNamesTheField() {
        // given
        byte[] good = WHOLE.encode();
        byte[] version = good.clone();
        version[0] = 2;
        byte[] source = good.clone();
        source[8] = (byte) 0xff;
        byte[] channel = good.clone();
        channel[20] = ' ';
        byte[] id = good.clone();
        id[20 + WHOLE.channel().length] = '\n';

        // when, then
        assertThat(refusal(new byte[0])).isEqualTo("copy: 0 bytes (expected: at least 20)");
        assertThat(refusal(version)).isEqualTo("version: 2 (expected: 1)");
        assertThat(refusal(source)).startsWith("source, subject: ");
        assertThat(refusal(channel)).startsWith("channel: ");
        assertThat(refusal(id)).startsWith("id: ");
        assertThat(refusal(Arrays.copyOf(good, 40))).startsWith("copy: 40 bytes (expected: at least ");
    }

    @Test
    void anOptionalFieldThatIsTooLongIsLeftOutAsAReaderOfTheRecordWouldIgnoreIt() {
        // given
        byte[] tooLong = utf8("x".repeat(FallbackCopy.MAX_URI_BYTES + 1));
        FallbackCopy copy = new FallbackCopy(
                false, utf8("news"), utf8("e-1"), tooLong, tooLong, tooLong, 7, tooLong, tooLong, utf8("1"));

        // when
        FallbackCopy read = FallbackCopy.decode(copy.encode());

        // then
        assertSame(
                read, new FallbackCopy(false, utf8("news"), utf8("e-1"), null, null, null, 7, null, null, utf8("1")));
    }

    @Test
    void aCopyWithoutAChannelOrAnIdCannotBeMade() {
        assertThatThrownBy(() ->
                        new FallbackCopy(false, utf8("a b"), utf8("e-1"), null, null, null, 0, null, null, utf8("1")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("channel: ");
        assertThatThrownBy(() ->
                        new FallbackCopy(false, utf8("news"), new byte[0], null, null, null, 0, null, null, utf8("1")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("id: ");
    }

    @Test
    void itShowsTheEventThatItsRecordWouldShow() {
        // when
        FanoutRecord record = FallbackCopy.decode(WHOLE.encode()).view(new FanoutRecord());

        // then
        assertThat(record.check(100)).isNull();
        assertThat(record.channel()).isEqualTo(WHOLE.channel());
        assertThat(record.id()).isEqualTo(WHOLE.id());
        assertThat(record.type()).isEqualTo(WHOLE.type());
        assertThat(record.timeMillis()).isEqualTo(WHOLE.timeMillis());
        assertThat(record.payloadKind()).isEqualTo(FanoutRecord.PayloadKind.TEXT);
        assertThat(record.payload()).isEqualTo(WHOLE.payload());
        assertThat(record.ignoredHeaders()).isZero();
    }

    @Test
    void eachPartitionHasItsRedisChannel() {
        assertThat(FallbackCopy.redisChannel("tidegate.fanout", 7)).isEqualTo("tidegate:tidegate.fanout:7");
    }

    private static String refusal(byte[] message) {
        return catchThrowableOfType(ProtocolException.class, () -> FallbackCopy.decode(message))
                .text();
    }

    private static FallbackCopy anyCopy(Random random) {
        byte[] payload = new byte[random.nextInt(200)];
        random.nextBytes(payload);
        return new FallbackCopy(
                random.nextBoolean(),
                utf8("n".repeat(1 + random.nextInt(random.nextInt(8) == 0 ? 255 : 20))),
                utf8("i".repeat(1 + random.nextInt(random.nextInt(8) == 0 ? 255 : 20))),
                optional(random, FanoutRecord.MAX_NAME_BYTES),
                optional(random, FallbackCopy.MAX_URI_BYTES),
                optional(random, FallbackCopy.MAX_URI_BYTES),
                random.nextLong(),
                optional(random, FanoutRecord.MAX_CONTENT_TYPE_BYTES),
                optional(random, FallbackCopy.MAX_TRACEPARENT_BYTES),
                payload);
    }

    private static byte[] optional(Random random, int maxBytes) {
        return switch (random.nextInt(3)) {
            case 0 -> null;
            case 1 -> utf8("x".repeat(1 + random.nextInt(20)));
            default -> utf8("x".repeat(1 + random.nextInt(maxBytes)));
        };
    }

    private static void assertSame(FallbackCopy actual, FallbackCopy expected) {
        assertThat(actual).usingRecursiveComparison().isEqualTo(expected);
    }
}
