package dev.tidegate.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;

class EventSlicesTest {
    private static final String[] CONTENT_TYPES = {
        null,
        "application/json",
        "text/plain",
        "application/octet-stream",
        "application/cloudevents+json; charset=utf-8"
    };

    @Test
    void framesOfStoredEventsAreThoseOfTheirRecords() {
        // given
        long seed = System.nanoTime();
        Random random = new Random(seed);
        FrameBuffer fromRecord = new FrameBuffer(64);
        FrameBuffer fromSlices = new FrameBuffer(64);
        FanoutRecord record = new FanoutRecord();
        for (int i = 0; i < 2_000; i++) {
            byte[] channel = bytes("orders:eu/" + random.nextInt(1_000_000));
            byte[] id = random.nextBoolean() ? bytes("id-\"" + random.nextLong()) : new byte[0];
            byte[] type = random.nextBoolean() ? bytes("type\\" + random.nextInt(9)) : new byte[0];
            String contentType = CONTENT_TYPES[random.nextInt(CONTENT_TYPES.length)];
            byte[] payload = bytes(random.nextBoolean() ? "{\n\"n\":" + i + "}" : "\"line\\n ü " + i + "\"");
            record.wrap(channel, payload, random.nextLong(1L << 45));
            header(record, FanoutRecord.HEADER_ID, id);
            header(record, FanoutRecord.HEADER_TYPE, type);
            header(record, FanoutRecord.HEADER_CONTENT_TYPE, contentType == null ? new byte[0] : bytes(contentType));
            assertThat(record.check(1 << 16)).as("seed %d", seed).isNull();
            EventSlices slices = stored(record, random.nextInt(20));
            long offset = random.nextLong(1L << 50);

            // when
            EventFrames.encode(fromRecord.clear(), "k3ZqW1xA", 7, offset, offset - 3, record, i % 2 == 0);
            EventFrames.encode(fromSlices.clear(), "k3ZqW1xA", 7, offset, offset - 3, slices, i % 2 == 0);

            // then
            assertThat(fromSlices.toText()).as("seed %d", seed).isEqualTo(fromRecord.toText());
        }
    }

    private static EventSlices stored(FanoutRecord record, int at) {
        byte[] id = orNothing(record.id());
        byte[] type = orNothing(record.type());
        byte[] contentType = orNothing(record.contentType());
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(new byte[at]);
        out.writeBytes(record.channel());
        out.writeBytes(id);
        out.writeBytes(type);
        out.writeBytes(contentType);
        out.writeBytes(record.payload());
        return new EventSlices()
                .set(
                        out.toByteArray(),
                        at,
                        record.channel().length,
                        id.length,
                        type.length,
                        contentType.length,
                        record.payload().length)
                .describe(record.timeMillis(), record.payloadKind());
    }

    private static void header(FanoutRecord record, String name, byte[] value) {
        if (value.length > 0) {
            record.header(name, value);
        }
    }

    private static byte[] orNothing(byte[] b) {
        return b == null ? new byte[0] : b;
    }

    private static byte[] bytes(String s) {
        return s.getBytes(StandardCharsets.UTF_8);
    }
}
