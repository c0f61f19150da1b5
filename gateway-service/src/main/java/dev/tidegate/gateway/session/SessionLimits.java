package dev.tidegate.gateway.session;

import dev.tidegate.gateway.resume.ReplayMerge;

/**
 * Bounds of one connection.
 *
 * @param heartbeatMs interval of pings and position frames, milliseconds; a connection silent for two is closed
 * @param maxFrameBytes largest client frame, after reassembly
 * @param maxSubscriptions most channels of one connection
 * @param maxMerges most resumes of one connection that fetch at once; further ones queue
 * @param maxPublishes most unanswered publishes of one connection; beyond it: {@code rate_limited}
 * @param connectTimeoutMs how long a connection that must authenticate may take to do so
 * @param mustAuthenticate whether a connection without a token must send {@code connect} before anything else
 */
public record SessionLimits(
        int heartbeatMs,
        int maxFrameBytes,
        int maxSubscriptions,
        int maxMerges,
        int maxPublishes,
        int connectTimeoutMs,
        boolean mustAuthenticate,
        ReplayMerge.Limits replay) {
    /** The shipped bounds, with anonymous clients allowed. */
    public static final SessionLimits DEFAULT =
            new SessionLimits(25_000, 128 * 1024, 1000, 8, 64, 10_000, false, ReplayMerge.Limits.DEFAULT);
}
