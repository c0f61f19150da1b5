package dev.tidegate.replay.recent;

import dev.tidegate.protocol.ChannelName;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.concurrent.ThreadLocalRandom;

/**
 * A channel as it is looked up: the bytes of its name and their hash. The hash is seeded per process, because whoever may
 * publish chooses channel names and could otherwise choose many that fall into one place of the table. Immutable.
 */
public final class ChannelKey {
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final long SEED = ThreadLocalRandom.current().nextLong();
    private static final long K0 = 0xa076_1d64_78bd_642fL; // the primes of wyhash, whose folded multiply this is
    private static final long K1 = 0xe703_7ed1_a0b4_28dbL;

    private final byte[] bytes;
    private final int hash;

    private ChannelKey(byte[] bytes) {
        this.bytes = bytes;
        this.hash = hash(bytes);
    }

    /** The key of a channel. */
    public static ChannelKey of(ChannelName channel) {
        return new ChannelKey(channel.bytes());
    }

    /** The channel's name in bytes; not a copy, not to be changed. */
    public byte[] bytes() {
        return bytes;
    }

    int hash() {
        return hash;
    }

    /** The hash of a channel's name; never 0. Allocates nothing. */
    public static int hash(byte[] b) {
        int n = b.length;
        long h = SEED ^ (n * K0);
        int i = 0;
        for (; i <= n - Long.BYTES; i += Long.BYTES) {
            h = fold(h ^ (long) LONG.get(b, i), K1);
        }
        long rest = 0;
        for (; i < n; i++) {
            rest = rest << 8 | (b[i] & 0xff);
        }
        h = fold(h ^ rest, K0);
        int folded = (int) (h ^ h >>> 32);
        return folded == 0 ? 1 : folded;
    }

    private static long fold(long a, long b) {
        return a * b ^ Math.unsignedMultiplyHigh(a, b);
    }
}
