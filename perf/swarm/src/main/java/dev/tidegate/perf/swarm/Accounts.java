package dev.tidegate.perf.swarm;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Counts of one child, or of all of them added up. Public fields, since it travels as JSON between processes and into the
 * result; written on the child's loop alone.
 */
public final class Accounts {
    /** Most sentences kept of what went wrong. */
    private static final int MAX_EXAMPLES = 20;

    /** Events received for the first time by their connection; with {@link #repeated} all events. */
    public long delivered;

    /** Of these, marked as replayed. */
    public long replayed;

    /** Of these, without a cursor. */
    public long provisional;

    /** Events that a connection already had, which a client drops by their id. */
    public long repeated;

    /** Events that came after a later one of their channel. */
    public long late;

    /** Events whose {@code prev} lies beyond the connection's position. */
    public long holes;

    /** Events, positions or gaps that lead behind the connection's position, in spite of being new. */
    public long backward;

    /** Gap frames. */
    public long gaps;

    /** Events of a channel that was not asked for, or of another log than the channel's. */
    public long foreign;

    /** Frames that are not of the contract. */
    public long broken;

    /** Events whose id is not the one they must have. */
    public long wrongIds;

    /** Acknowledged events that never came. Known at the end only. */
    public long lost;

    /** {@code subscribed} frames that answered {@code pending}. */
    public long pending;

    /** {@code position} frames' channels. */
    public long positions;

    public long connectAttempts;
    public long connectFailures;
    /** Handshakes answered 503. */
    public long refused;
    /** Connections opened again after they had been subscribed. */
    public long reconnects;
    /** Connections that were given up. */
    public long gaveUp;
    /** Closed by the server while subscribed or subscribing, unasked. */
    public long closedByServer;
    /** Those by close code; 1006 stands for none. */
    public Map<Integer, Long> closeCodes = new TreeMap<>();
    /** Error frames by code. */
    public Map<String, Long> errors = new TreeMap<>();
    /** Answers to handshakes other than 101 and 503, by status. */
    public Map<String, Long> answers = new TreeMap<>();

    public long bytesReceived;
    public long reads;
    public long pings;

    /** What went wrong, in words; the first few. */
    public List<String> examples = new ArrayList<>();

    void example(String what) {
        if (examples.size() < MAX_EXAMPLES) {
            examples.add(what);
        }
    }

    static <K> void count(Map<K, Long> counts, K key) {
        counts.merge(key, 1L, Long::sum);
    }

    /** Adds another child's. */
    void add(Accounts o) {
        delivered += o.delivered;
        replayed += o.replayed;
        provisional += o.provisional;
        repeated += o.repeated;
        late += o.late;
        holes += o.holes;
        backward += o.backward;
        gaps += o.gaps;
        foreign += o.foreign;
        broken += o.broken;
        wrongIds += o.wrongIds;
        lost += o.lost;
        pending += o.pending;
        positions += o.positions;
        connectAttempts += o.connectAttempts;
        connectFailures += o.connectFailures;
        refused += o.refused;
        reconnects += o.reconnects;
        gaveUp += o.gaveUp;
        closedByServer += o.closedByServer;
        bytesReceived += o.bytesReceived;
        reads += o.reads;
        pings += o.pings;
        o.closeCodes.forEach((k, v) -> closeCodes.merge(k, v, Long::sum));
        o.errors.forEach((k, v) -> errors.merge(k, v, Long::sum));
        o.answers.forEach((k, v) -> answers.merge(k, v, Long::sum));
        o.examples.forEach(this::example);
    }
}
