package dev.tidegate.perf.swarm;

import static java.nio.charset.StandardCharsets.US_ASCII;

/** A server frame, read: which members it has, and where their values lie. Reused for frame after frame. */
final class Frame {
    /** Which frame; OTHER are those a swarm has no use for. */
    enum Op {
        EVENT,
        SUBSCRIBED,
        POSITION,
        GAP,
        RECONNECT,
        ERROR,
        OTHER
    }

    /** Where a value lies; {@code from < 0} if there is none. */
    static final class Slice {
        int from = -1;
        int to;

        boolean present() {
            return from >= 0;
        }

        private void set(Members m) {
            from = m.from;
            to = m.to;
        }

        String in(byte[] b) {
            return present() ? new String(b, from, to - from, java.nio.charset.StandardCharsets.UTF_8) : "";
        }
    }

    private static final byte[] NAME_OP = ascii("op");
    private static final byte[] NAME_CHANNEL = ascii("channel");
    private static final byte[] NAME_CURSOR = ascii("cursor");
    private static final byte[] NAME_PREV = ascii("prev");
    private static final byte[] NAME_ID = ascii("id");
    private static final byte[] NAME_REPLAY = ascii("replay");
    private static final byte[] NAME_DATA = ascii("data");
    private static final byte[] NAME_CHANNELS = ascii("channels");
    private static final byte[] NAME_CODE = ascii("code");
    private static final byte[] NAME_MESSAGE = ascii("message");
    private static final byte[] NAME_RECOVERY = ascii("recovery");
    private static final byte[] NAME_REASON = ascii("reason");
    private static final byte[] NAME_AFTER_MS = ascii("afterMs");
    private static final byte[] TRUE = ascii("true");

    private static final byte[] EVENT = ascii("event");
    private static final byte[] SUBSCRIBED = ascii("subscribed");
    private static final byte[] POSITION = ascii("position");
    private static final byte[] GAP = ascii("gap");
    private static final byte[] RECONNECT = ascii("reconnect");
    private static final byte[] ERROR = ascii("error");

    final Slice channel = new Slice();
    final Slice cursor = new Slice();
    final Slice id = new Slice();
    final Slice data = new Slice();
    final Slice channels = new Slice();
    final Slice code = new Slice();
    final Slice message = new Slice();
    final Slice recovery = new Slice();
    final Slice reason = new Slice();
    private final Slice prevText = new Slice();
    private final Slice afterText = new Slice();

    Op op = Op.OTHER;
    boolean replay;

    private byte[] bytes = new byte[0];
    private final Members members = new Members();

    /** Reads a frame; false if it is no JSON object with an {@code op}. */
    boolean read(byte[] b, int from, int to) {
        bytes = b;
        channel.from = -1;
        cursor.from = -1;
        id.from = -1;
        data.from = -1;
        channels.from = -1;
        code.from = -1;
        message.from = -1;
        recovery.from = -1;
        reason.from = -1;
        prevText.from = -1;
        afterText.from = -1;
        replay = false;
        op = Op.OTHER;
        boolean hasOp = false;
        Members m = members.of(b, from, to);
        while (m.next()) {
            // By length and first letters, since this runs for every member of every delivery.
            switch (m.nameTo - m.nameFrom) {
                case 2 -> {
                    if (m.is(NAME_OP)) {
                        hasOp = true;
                        op = opOf(m);
                    } else if (m.is(NAME_ID)) {
                        id.set(m);
                    }
                }
                case 4 -> {
                    if (m.is(NAME_DATA)) {
                        data.set(m);
                    } else if (m.is(NAME_PREV)) {
                        prevText.set(m);
                    } else if (m.is(NAME_CODE)) {
                        code.set(m);
                    }
                }
                case 6 -> {
                    if (m.is(NAME_CURSOR)) {
                        cursor.set(m);
                    } else if (m.is(NAME_REPLAY)) {
                        replay = m.valueIs(TRUE);
                    } else if (m.is(NAME_REASON)) {
                        reason.set(m);
                    }
                }
                case 7 -> {
                    if (m.is(NAME_CHANNEL)) {
                        channel.set(m);
                    } else if (m.is(NAME_MESSAGE)) {
                        message.set(m);
                    } else if (m.is(NAME_AFTER_MS)) {
                        afterText.set(m);
                    }
                }
                case 8 -> {
                    if (m.is(NAME_CHANNELS)) {
                        channels.set(m);
                    } else if (m.is(NAME_RECOVERY)) {
                        recovery.set(m);
                    }
                }
                default -> {
                    // Unknown members are ignored, as the contract says.
                }
            }
        }
        return hasOp && !m.malformed();
    }

    private static Op opOf(Members m) {
        if (m.valueIs(EVENT)) {
            return Op.EVENT;
        }
        if (m.valueIs(POSITION)) {
            return Op.POSITION;
        }
        if (m.valueIs(SUBSCRIBED)) {
            return Op.SUBSCRIBED;
        }
        if (m.valueIs(GAP)) {
            return Op.GAP;
        }
        if (m.valueIs(ERROR)) {
            return Op.ERROR;
        }
        return m.valueIs(RECONNECT) ? Op.RECONNECT : Op.OTHER;
    }

    /** The {@code prev} of an event; {@link Track#NOWHERE} if it has none. */
    long prev() {
        return prevText.present() ? number(bytes, prevText.from, prevText.to) : Track.NOWHERE;
    }

    /** The {@code afterMs} of a reconnect; 0 if it has none. */
    long afterMillis() {
        return afterText.present() ? Math.max(0, number(bytes, afterText.from, afterText.to)) : 0;
    }

    /** A whole number in decimal; {@link Track#NOWHERE} if it is none. */
    static long number(byte[] b, int from, int to) {
        boolean negative = from < to && b[from] == '-';
        int i = negative ? from + 1 : from;
        if (i >= to || to - i > 18) {
            return Track.NOWHERE;
        }
        long v = 0;
        for (; i < to; i++) {
            if (b[i] < '0' || b[i] > '9') {
                return Track.NOWHERE;
            }
            v = v * 10 + (b[i] - '0');
        }
        return negative ? -v : v;
    }

    private static byte[] ascii(String s) {
        return s.getBytes(US_ASCII);
    }
}
