package dev.tidegate.ingest.publish;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class EventIdsTest {
    @Test
    @DisplayName("New ids are UUIDs of version 7 of the present, all different")
    void newIds() {
        // given
        long before = System.currentTimeMillis();
        // when
        List<String> ids = new ArrayList<>();
        for (int i = 0; i < 10_000; i++) {
            ids.add(EventIds.next());
        }
        // then
        long after = System.currentTimeMillis();
        assertThat(new HashSet<>(ids)).hasSize(ids.size());
        assertThat(ids).allSatisfy(text -> {
            UUID id = UUID.fromString(text);
            assertThat(id.version()).isEqualTo(7);
            assertThat(id.variant()).isEqualTo(2);
            assertThat(id.getMostSignificantBits() >>> 16).isBetween(before, after);
        });
    }

    @Test
    @DisplayName("New ids sort by their time, to the microsecond")
    void newIdsSort() {
        // given
        Random random = new Random(7);
        long micros = 1_795_000_000_000_000L;
        String last = "";
        for (int i = 0; i < 5_000; i++) {
            micros += 1 + random.nextInt(i < 2_500 ? 3 : 5_000);
            // when
            String id = EventIds.next(micros, random.nextLong());
            // then
            assertThat(id).isGreaterThan(last);
            last = id;
        }
    }

    @Test
    @DisplayName("A derived id is the same for the same channel and key, for ever, and another for another pair")
    void derivedIds() {
        // given what publishers and subscribers have stored
        String id = EventIds.derived("orders:eu", "k-1");
        // then
        assertThat(id).isEqualTo("0d2c193f-7b00-8c0c-82e8-8885e50d6188");
        assertThat(UUID.fromString(id).version()).isEqualTo(8);
        assertThat(UUID.fromString(id).variant()).isEqualTo(2);
        assertThat(EventIds.derived("orders:eu", "k-2")).isNotEqualTo(id);
        assertThat(EventIds.derived("orders:us", "k-1")).isNotEqualTo(id);
    }
}
