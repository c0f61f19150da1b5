package dev.tidegate.gateway.fanout;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.security.SecureRandom;

/**
 * 128 bits that stand for an event's channel and id. Two lanes of the "multiply, fold" step of wyhash, under a seed that
 * is new in every process, so that nobody can choose ids that collide. Where a collision could lose something, the bytes
 * themselves are compared. Used again for each id; not thread-safe.
 */
final class IdHash {
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final long K0 = 0xa076_1d64_78bd_642fL;
    private static final long K1 = 0xe703_7ed1_a0b4_28dbL;
    private static final long SEED0 = new SecureRandom().nextLong();
    private static final long SEED1 = new SecureRandom().nextLong();

    long high;
    long low;

    void of(byte[] channel, byte[] id) {
        high = SEED0;
        low = SEED1;
        feed(channel);
        feed(id);
        step(channel.length | (long) id.length << 32);
    }

    private void feed(byte[] b) {
        int i = 0;
        for (; i <= b.length - Long.BYTES; i += Long.BYTES) {
            step((long) LONG.get(b, i));
        }
        long rest = 0;
        for (int shift = 0; i < b.length; i++, shift += 8) {
            rest |= (b[i] & 0xffL) << shift;
        }
        step(rest);
    }

    private void step(long word) {
        high = fold(high ^ word, K0 ^ low);
        low = fold(low ^ Long.rotateLeft(word, 32), K1) ^ Long.rotateLeft(high, 23);
    }

    private static long fold(long a, long b) {
        return (a * b) ^ Math.unsignedMultiplyHigh(a, b) ^ a;
    }
}
