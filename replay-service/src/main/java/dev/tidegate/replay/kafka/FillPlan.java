package dev.tidegate.replay.kafka;

/**
 * From where to read so that memory is full when the end of the log is reached, and every partition reaches back equally
 * far in time, as it would had the service run on: looks for the age at which the records since then just fit. Where
 * the records of one moment are too many (an import, say), each partition gets the same share of them.
 */
final class FillPlan {
    /** Ages are halved so often: the last step is less than 0.3 % of the whole search. */
    private static final int STEPS = 14;

    private static final long YOUNGEST_MILLIS = 250;
    private static final long OLDEST_MILLIS = 400L * 24 * 3600 * 1000;

    /** For each partition the offset of its first record of at least this time; its end if there is none. */
    interface TimeIndex {
        long[] at(long timestampMillis);
    }

    private FillPlan() {}

    /**
     * The offset to start from, for each partition.
     *
     * @param bytesPerOffset about what one offset of each partition comes to in memory
     * @param budget bytes of memory to be filled
     */
    static long[] offsets(
            long[] starts, long[] ends, double[] bytesPerOffset, long budget, TimeIndex index, long nowMillis) {
        long[] tooFar = starts.clone();
        if (bytes(tooFar, ends, bytesPerOffset) <= budget) {
            return tooFar;
        }
        long[] fits = ends.clone();
        double young = YOUNGEST_MILLIS;
        double old = OLDEST_MILLIS;
        for (int i = 0; i < STEPS; i++) {
            double age = Math.sqrt(young * old);
            long[] at = index.at(nowMillis - (long) age);
            for (int p = 0; p < at.length; p++) {
                // Time stamps are the producers' and need not grow with offsets; what was found so far bounds them.
                at[p] = Math.clamp(at[p], tooFar[p], fits[p]);
            }
            if (bytes(at, ends, bytesPerOffset) <= budget) {
                fits = at;
                young = age;
            } else {
                tooFar = at;
                old = age;
            }
        }
        double fitting = bytes(fits, ends, bytesPerOffset);
        double share = (budget - fitting) / (bytes(tooFar, ends, bytesPerOffset) - fitting);
        long[] out = new long[fits.length];
        for (int p = 0; p < out.length; p++) {
            out[p] = fits[p] - (long) (share * (fits[p] - tooFar[p]));
        }
        return out;
    }

    private static double bytes(long[] from, long[] ends, double[] bytesPerOffset) {
        double sum = 0;
        for (int p = 0; p < from.length; p++) {
            sum += (ends[p] - from[p]) * bytesPerOffset[p];
        }
        return sum;
    }
}
