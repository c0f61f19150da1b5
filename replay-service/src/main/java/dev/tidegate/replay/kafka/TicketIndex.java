package dev.tidegate.replay.kafka;

import dev.tidegate.replay.reads.ReadTicket;
import dev.tidegate.replay.recent.ChannelKey;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The tickets of a scan by channel, made for one look-up per record that allocates nothing and mostly finds nothing. Immutable: made
 * anew when the tickets change.
 */
final class TicketIndex {
    /** The tickets of one channel. */
    record Entry(byte[] channel, ReadTicket[] tickets) {}

    private final @Nullable Entry[] slots;
    private final int mask;

    TicketIndex(List<ReadTicket> tickets) {
        Map<String, ArrayList<ReadTicket>> byChannel = new HashMap<>();
        for (ReadTicket t : tickets) {
            byChannel
                    .computeIfAbsent(
                            new String(t.wanted().channel().bytes(), StandardCharsets.US_ASCII),
                            k -> new ArrayList<>(1))
                    .add(t);
        }
        slots = new @Nullable Entry[Integer.highestOneBit(byChannel.size() * 4 + 4)];
        mask = slots.length - 1;
        for (List<ReadTicket> ofChannel : byChannel.values()) {
            byte[] channel = ofChannel.getFirst().wanted().channel().bytes();
            int i = ChannelKey.hash(channel) & mask;
            while (slots[i] != null) {
                i = (i + 1) & mask;
            }
            slots[i] = new Entry(channel, ofChannel.toArray(ReadTicket[]::new));
        }
    }

    /** The tickets of this channel, or null. */
    ReadTicket @Nullable [] of(byte[] channel) {
        for (int i = ChannelKey.hash(channel) & mask; ; i = (i + 1) & mask) {
            Entry e = slots[i];
            if (e == null) {
                return null;
            }
            if (Arrays.equals(e.channel, channel)) {
                return e.tickets;
            }
        }
    }
}
