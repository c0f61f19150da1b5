package dev.tidegate.ingest.relay;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.ingest.publish.Event;
import dev.tidegate.protocol.ChannelName;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PositionTest {
    private static RelayRow row(long seq) {
        return new RelayRow(
                seq, new Event(ChannelName.parse("a"), "e" + seq, null, null, null, new byte[0], null, List.of()), 7);
    }

    @Test
    void aRunIsShort() {
        Position position = Position.of(LongStream.range(1_000_000, 1_010_000)
                .mapToObj(PositionTest::row)
                .toList());
        assertThat(position.encode().length()).isLessThan(40);
        assertThat(Position.decode(position.encode())).contains(position);
        assertThat(position.last()).isEqualTo(1_009_999);
    }

    @Test
    @DisplayName("Whatever the numbers, as many rows as fit are named, all of them, and nothing is longer than allowed")
    void anyNumbers() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int history = 0; history < 2_000; history++) {
            List<RelayRow> rows = new ArrayList<>();
            long seq = random.nextBoolean() ? random.nextLong(1_000) : Long.MAX_VALUE - 2_000_000_000L;
            int count = 1 + random.nextInt(600);
            for (int i = 0; i < count; i++) {
                seq += random.nextInt(4) == 0 ? 1 + random.nextInt(1_000_000) : 1;
                rows.add(row(seq));
            }
            List<RelayRow> fitting = Position.fitting(rows);
            Position position = Position.of(fitting);
            assertThat(fitting).as("seed %s", seed).isNotEmpty();
            assertThat(position.encode().length()).as("seed %s", seed).isLessThanOrEqualTo(Position.MAX_CHARACTERS);
            assertThat(Position.decode(position.encode())).as("seed %s", seed).contains(position);
            assertThat(position.seqs())
                    .as("seed %s", seed)
                    .isEqualTo(rows.subList(0, fitting.size()).stream()
                            .map(RelayRow::seq)
                            .toList());
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "1", "1;x", "2;x;1", "1;x;", "1;x;+", "1;x;1+", "1;x;1+0", "1;x;1,,2", "1;x;1+zzzzz", "{}"})
    void whatIsNotOursIsNone(String text) {
        assertThat(Position.decode(text)).isEmpty();
    }

    @Test
    @DisplayName("A row of another database that has the number is told from ours")
    void digests() {
        String ours = row(5).digest();
        assertThat(RelayRow.digest(5, "e5", 7)).isEqualTo(ours).hasSize(16);
        assertThat(RelayRow.digest(6, "e5", 7)).isNotEqualTo(ours);
        assertThat(RelayRow.digest(5, "e6", 7)).isNotEqualTo(ours);
        assertThat(RelayRow.digest(5, "e5", 8)).isNotEqualTo(ours);
    }
}
