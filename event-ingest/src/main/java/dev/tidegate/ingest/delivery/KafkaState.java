package dev.tidegate.ingest.delivery;

import java.time.Duration;

/**
 * Kafka's health as this instance sees it, and with it where durable events go (ADR 111). A pure state machine: no thread,
 * no clock, no client; whoever feeds it serialises the calls.
 *
 * <pre>
 * from              on                                                                  to
 * HEALTHY           a write waits for suspect-after, or the look at the topic fails     SUSPECT
 * SUSPECT           no write waits so long, and the last look succeeded                 HEALTHY
 * SUSPECT           looks fail for delivery-timeout, and nothing is acknowledged        SPOOLING
 * HEALTHY, SUSPECT  a write waits for delivery-timeout, or Kafka refuses one            SPOOLING
 * HEALTHY, SUSPECT  the spool has rows, or another instance has to spool                DRAINING
 * SPOOLING          the look succeeds, the producer is ready, and the pause is over     DRAINING
 * DRAINING          the spool is nearly empty, here or by another instance's word       CLOSING
 * DRAINING, CLOSING the look fails, a left-over write or the relay fails                SPOOLING
 * DRAINING, CLOSING the spool is empty and the floor is ours                            HEALTHY
 * CLOSING           another instance has to spool, PostgreSQL is away, or 1 s is over   DRAINING
 * DRAINING          PostgreSQL is away, and nothing is known to be in the spool         HEALTHY
 * DRAINING          PostgreSQL is away for order-patience                               HEALTHY (order given up)
 * </pre>
 */
final class KafkaState {
    /** Where durable events go. */
    enum State {
        /** To Kafka. */
        HEALTHY,
        /** To Kafka, which shows a symptom. */
        SUSPECT,
        /** To the spool: Kafka cannot be written. */
        SPOOLING,
        /** To the spool, behind what is there: Kafka can be written, and the relay does. */
        DRAINING,
        /** Nowhere for a moment: they wait in memory until the last of the spool is relayed. */
        CLOSING;

        /** Whether durable events go to Kafka. */
        boolean direct() {
            return this == HEALTHY || this == SUSPECT;
        }
    }

    /** What is known of the spool. */
    enum Spool {
        /** It has not been asked yet since the start. */
        UNKNOWN,
        /** It cannot be asked. */
        AWAY,
        /** Another instance has to spool, and asks for the floor. */
        BUSY,
        /** It has rows. */
        ROWS,
        /** It is empty, but somebody may write a row at any time. */
        EMPTY,
        /** It is empty, and nobody can write a row while we hold the floor (ADR 114). */
        CLEAR
    }

    /** Bounds of time. */
    record Limits(Duration suspectAfter, Duration deliveryTimeout, Duration orderPatience) {}

    /**
     * What there is to see at one moment. Times are of one clock that only moves on, in nanoseconds.
     *
     * @param kafkaSeen whether the last look at the topic succeeded
     * @param producerReady whether the producer could write without waiting
     * @param oldestAge how long the oldest unacknowledged write waits; 0 if there is none
     * @param acknowledgedAt when the last write was acknowledged
     */
    record Sight(
            long now, boolean kafkaSeen, boolean producerReady, long oldestAge, long acknowledgedAt, Spool spool) {}

    /** Between two attempts to leave SPOOLING after the relay or a write has failed; doubles up to the second. */
    static final long FIRST_PAUSE = Duration.ofMillis(500).toNanos();

    static final long LONGEST_PAUSE = Duration.ofSeconds(5).toNanos();

    /** How long events may wait in memory for the end of the spool. */
    static final long CLOSE_WITHIN = Duration.ofSeconds(1).toNanos();

    private final long suspectAfter;
    private final long deliveryTimeout;
    private final long orderPatience;

    private State state = State.SPOOLING;
    private String cause = "Kafka has not been seen yet";
    private long suspectSince;
    private long awaySince;
    private boolean away;
    private volatile boolean mayHold; // whether the spool may have rows: the last that was known
    private long pause = FIRST_PAUSE;
    private long notBefore;
    private boolean paused;
    private long closingSince;

    KafkaState(Limits limits) {
        this.suspectAfter = limits.suspectAfter().toNanos();
        this.deliveryTimeout = limits.deliveryTimeout().toNanos();
        this.orderPatience = limits.orderPatience().toNanos();
    }

    State state() {
        return state;
    }

    /** Why it is in this state; for people. */
    String cause() {
        return cause;
    }

    /** Looks around; to be called several times a second, and at once when the spool's sight changes. */
    State look(Sight s) {
        remember(s);
        switch (state) {
            case HEALTHY -> {
                if (!leftDirect(s)) {
                    if (s.oldestAge() >= suspectAfter) {
                        suspect(s, "a write has been unacknowledged for " + millis(s.oldestAge()));
                    } else if (!s.kafkaSeen()) {
                        suspect(s, "the look at the topic failed");
                    }
                }
            }
            case SUSPECT -> {
                if (!leftDirect(s)) {
                    inSuspect(s);
                }
            }
            case SPOOLING -> {
                boolean over = !paused || s.now() - notBefore >= 0;
                if (s.kafkaSeen() && s.producerReady() && over) {
                    to(State.DRAINING, "Kafka is there");
                    inDraining(s);
                }
            }
            case DRAINING -> inDraining(s);
            case CLOSING -> inClosing(s);
        }
        return state;
    }

    private void remember(Sight s) {
        boolean nowAway = s.spool() == Spool.AWAY;
        if (nowAway && !away) {
            awaySince = s.now();
        }
        away = nowAway;
        if (s.spool() == Spool.BUSY || s.spool() == Spool.ROWS) {
            mayHold = true;
        } else if (s.spool() == Spool.CLEAR) {
            mayHold = false;
        }
    }

    private boolean leftDirect(Sight s) {
        if (s.oldestAge() >= deliveryTimeout) {
            to(State.SPOOLING, "a write has been unacknowledged for " + millis(s.oldestAge()));
            return true;
        }
        if (s.spool() == Spool.BUSY || s.spool() == Spool.ROWS) {
            to(State.DRAINING, "the spool is in use");
            return true;
        }
        return false;
    }

    private void suspect(Sight s, String why) {
        suspectSince = s.now();
        to(State.SUSPECT, why);
    }

    private void inSuspect(Sight s) {
        if (s.kafkaSeen()) {
            if (s.oldestAge() < suspectAfter) {
                to(State.HEALTHY, "Kafka acknowledges");
            }
        } else {
            long silentSince = Math.max(suspectSince, s.acknowledgedAt());
            if (s.now() - silentSince >= deliveryTimeout) {
                to(State.SPOOLING, "the topic has not been seen for " + millis(s.now() - silentSince));
            }
        }
    }

    private void inDraining(Sight s) {
        if (!s.kafkaSeen()) {
            to(State.SPOOLING, "the look at the topic failed");
        } else if (s.spool() == Spool.CLEAR) {
            healthy("the spool is empty");
        } else if (s.spool() == Spool.AWAY && !mayHold) {
            healthy("the spool cannot be asked");
        } else if (s.spool() == Spool.AWAY && s.now() - awaySince >= orderPatience) {
            mayHold = false; // until it can be asked again
            healthy("PostgreSQL has not answered for " + millis(orderPatience)
                    + ": order gives way, older events wait in the spool");
        }
    }

    private void inClosing(Sight s) {
        if (!s.kafkaSeen()) {
            to(State.SPOOLING, "the look at the topic failed");
        } else if (s.spool() == Spool.CLEAR) {
            healthy("the spool is empty");
        } else if (s.spool() == Spool.BUSY || s.spool() == Spool.AWAY || s.now() - closingSince >= CLOSE_WITHIN) {
            to(State.DRAINING, "the spool is not empty yet");
        }
    }

    /** The spool is nearly empty: from now on events wait for its end. */
    void close(long now) {
        if (state == State.DRAINING) {
            closingSince = now;
            to(State.CLOSING, "the spool is nearly empty");
        }
    }

    private void healthy(String why) {
        paused = false;
        pause = FIRST_PAUSE;
        to(State.HEALTHY, why);
    }

    /** Kafka refused a write, or did not take it in time; or the relay's transaction failed. */
    State failed(long now, String why) {
        paused = true;
        notBefore = now + pause;
        pause = Math.min(2 * pause, LONGEST_PAUSE);
        if (state != State.SPOOLING) {
            to(State.SPOOLING, why);
        }
        return state;
    }

    /** The relay got rows into Kafka: it can be written. */
    void relayed() {
        pause = FIRST_PAUSE;
    }

    /** An event went into the spool from here. The one call that any thread may make, by itself. */
    void spooled() {
        mayHold = true;
    }

    private void to(State next, String why) {
        state = next;
        cause = why;
    }

    private static String millis(long nanos) {
        return nanos / 1_000_000 + " ms";
    }
}
