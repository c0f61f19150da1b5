package dev.tidegate.gateway.session;

import dev.tidegate.gateway.resume.ReplayMerge;

/**
 * Bounds of one connection, and of what a loop keeps for those that are slow.
 *
 * @param heartbeatMs interval of pings and position frames, milliseconds; a connection silent for two is closed
 * @param maxFrameBytes largest client frame, after reassembly
 * @param maxSubscriptions most channels of one connection
 * @param maxMerges most resumes of one connection that fetch at once; further ones queue
 * @param maxPublishes most unanswered publishes of one connection; beyond it: {@code rate_limited}
 * @param connectTimeoutMs how long a connection that must authenticate may take to do so
 * @param mustAuthenticate whether a connection without a token must send {@code connect} before anything else
 * @param kept bounds of the newest events kept for slow connections
 * @param bearableMs how long tasks may wait in a loop's queue before it sends connections elsewhere; see {@link Pressure}
 */
public record SessionLimits(
        int heartbeatMs,
        int maxFrameBytes,
        int maxSubscriptions,
        int maxMerges,
        int maxPublishes,
        int connectTimeoutMs,
        boolean mustAuthenticate,
        ReplayMerge.Limits replay,
        Kept kept,
        int bearableMs) {
    /** The shipped bound of a loop's queue, milliseconds. */
    public static final int BEARABLE_MS = 5_000;

    /**
     * Bounds of what a loop keeps for slow connections whose namespace conflates.
     *
     * @param subjects most subjects of one channel; the one whose event is oldest makes room
     * @param bytes most bytes of all channels of one loop, objects included; the channel's own oldest make room, and where
     *     that is not enough the new event is not kept
     */
    public record Kept(int subjects, long bytes) {
        /** The shipped ones, with two loops. */
        public static final Kept DEFAULT = new Kept(1000, 16 << 20);
    }

    /** The shipped bounds, with anonymous clients allowed. */
    public static final SessionLimits DEFAULT =
            new SessionLimits(25_000, 128 * 1024, 1000, 8, 64, 10_000, false, ReplayMerge.Limits.DEFAULT);

    /** With the shipped bounds of what concerns a whole loop. */
    public SessionLimits(
            int heartbeatMs,
            int maxFrameBytes,
            int maxSubscriptions,
            int maxMerges,
            int maxPublishes,
            int connectTimeoutMs,
            boolean mustAuthenticate,
            ReplayMerge.Limits replay) {
        this(
                heartbeatMs,
                maxFrameBytes,
                maxSubscriptions,
                maxMerges,
                maxPublishes,
                connectTimeoutMs,
                mustAuthenticate,
                replay,
                Kept.DEFAULT,
                BEARABLE_MS);
    }
}
