package dev.tidegate.perf.swarm;

import static java.nio.charset.StandardCharsets.US_ASCII;

import org.jspecify.annotations.Nullable;

/** The run's channels: their names, and the log that each was found to lie in. Of one loop. */
final class Channels {
    /** The epoch and partition of a channel. */
    private record Log(byte[] epoch, int partition) {}

    private final Settings settings;
    private final byte[] prefix;
    private final @Nullable Log[] logs;
    private byte[] epoch = new byte[0]; // one array for all channels of a topic

    Channels(Settings settings) {
        this.settings = settings;
        String any = settings.channelName(0);
        this.prefix = any.substring(0, any.length() - 1).getBytes(US_ASCII);
        this.logs = new Log[settings.load().channels()];
    }

    String name(int channel) {
        return settings.channelName(channel);
    }

    /** The index of the channel with this name, or -1. */
    int indexOf(byte[] b, int from, int to) {
        int digits = from + prefix.length;
        if (to <= digits) {
            return -1;
        }
        for (int i = 0; i < prefix.length; i++) {
            if (b[from + i] != prefix[i]) {
                return -1;
            }
        }
        long n = Frame.number(b, digits, to);
        return n >= 0 && n < logs.length ? (int) n : -1;
    }

    /** Whether the cursor is of the channel's log; the first one seen tells which log that is. */
    boolean isOf(int channel, Place place) {
        Log log = logs[channel];
        if (log == null) {
            set(channel, place);
            return true;
        }
        return log.partition == place.partition && place.isOf(log.epoch);
    }

    /** The channel goes on in this log. */
    void set(int channel, Place place) {
        if (!place.isOf(epoch)) {
            epoch = place.epoch();
        }
        logs[channel] = new Log(epoch, place.partition);
    }

    /** The cursor at an offset of a channel whose log is known; null if it is not. */
    @Nullable
    String cursor(int channel, long offset) {
        Log log = logs[channel];
        return log == null ? null : new String(log.epoch, US_ASCII) + "." + log.partition + "." + offset;
    }
}
