package dev.tidegate.replay.recent;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ChannelTableTest {
    /** Channels that all have one of very few hashes, added and removed at random, against a map. */
    @Test
    void channelsOfOneHashAreToldApart() {
        // given
        long seed = Long.getLong("tidegate.seed", System.nanoTime());
        Random random = new Random(seed);
        ChannelTable table = new ChannelTable();
        Map<Long, String> names = new HashMap<>(); // what stands in the log
        LinkedHashMap<String, Long> newest = new LinkedHashMap<>(); // channel -> position
        Map<String, Long> offsets = new HashMap<>();
        ChannelTable.Names log =
                (position, channel) -> new String(channel, StandardCharsets.US_ASCII).equals(names.get(position));
        long position = (5L << 32) - 4_000; // the low 32 bits of positions wrap on the way
        long tail = position;

        for (int step = 0; step < 60_000; step++) {
            // when
            String channel = "c" + random.nextInt(step < 30_000 ? 300 : 2_000);
            int hash = hash(channel);
            int slot = table.find(hash, bytes(channel), tail, log);
            assertThat(slot >= 0).as("seed %d, step %d", seed, step).isEqualTo(newest.containsKey(channel));
            boolean remove = slot >= 0 && random.nextInt(3) == 0;
            if (remove) {
                table.remove(slot);
                newest.remove(channel);
            } else {
                position += 8L * (1 + random.nextInt(20));
                names.put(position, channel);
                offsets.put(channel, (long) step);
                if (slot >= 0) {
                    table.update(slot, position, step);
                } else {
                    table.add(hash, position, step);
                }
                newest.put(channel, position);
            }
            tail = newest.values().stream().mapToLong(Long::longValue).min().orElse(position);
            if (step % 50 == 0) {
                retire(table, newest, tail, log, random);
            }

            // then
            List<String> asked = new ArrayList<>(List.of(channel, "c" + random.nextInt(2_000)));
            for (String c : asked) {
                long expected = newest.getOrDefault(c, ChannelTable.NONE);
                long after = offsets.getOrDefault(c, 0L);
                String label = "seed " + seed + ", step " + step + ", " + c;
                assertThat(table.newestAfter(hash(c), bytes(c), after - 1, tail, log) >= 0 ? expected : -1)
                        .as(label)
                        .isEqualTo(expected);
                long found = table.newestAfter(hash(c), bytes(c), after, tail, log);
                assertThat(found).as(label).isLessThan(0);
                if (newest.containsKey(c)) {
                    assertThat(found).as(label).isEqualTo(ChannelTable.NONE_OR_OLDER);
                }
            }
        }
        assertThat(table.channels()).isEqualTo(newest.size());
    }

    private static void retire(
            ChannelTable table, Map<String, Long> newest, long tail, ChannelTable.Names log, Random random) {
        String[] channels = newest.keySet().toArray(String[]::new);
        for (String channel : Arrays.copyOf(channels, random.nextInt(channels.length + 1))) {
            table.remove(table.find(hash(channel), bytes(channel), tail, log));
            newest.remove(channel);
        }
    }

    private static int hash(String channel) {
        int h = channel.hashCode() % 7;
        return h == 0 ? 7 : h;
    }

    private static byte[] bytes(String channel) {
        return channel.getBytes(StandardCharsets.US_ASCII);
    }
}
