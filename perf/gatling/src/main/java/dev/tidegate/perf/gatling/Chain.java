package dev.tidegate.perf.gatling;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.json.JsonMapper;

/**
 * What one user has received of its channel: checks PROTOCOL.md's continuity rule and the publisher's sequence numbers.
 * Used by one user at a time, over all of its connections.
 */
final class Chain {
    private static final ObjectMapper JSON = JsonMapper.builder().build();

    private final String channel;
    private final BitSet seen = new BitSet();
    private final BitSet provisional =
            new BitSet(); // of those seen: without a place as yet, so their records may come, too
    private final List<String> faults = new ArrayList<>();
    private String epochAndPartition = "";
    private long position = Long.MIN_VALUE;
    private int highest = -1;
    private int slowest;
    private int replayed;

    Chain(String channel) {
        this.channel = channel;
    }

    String channel() {
        return channel;
    }

    /** The subscription's cursor, where nothing was asked for. */
    void start(String cursor) {
        if (position == Long.MIN_VALUE) {
            epochAndPartition = head(cursor);
            position = offset(cursor);
        }
    }

    /** The cursor to come back with. */
    String cursor() {
        return epochAndPartition + "." + position;
    }

    /**
     * A text frame.
     *
     * @param receivedAt milliseconds since the epoch
     */
    void take(String text, long receivedAt) {
        JsonNode frame = JSON.readTree(text);
        switch (frame.path("op").asString("")) {
            case "event" -> event(frame, receivedAt);
            case "position" -> {
                JsonNode cursor = frame.path("channels").path(channel);
                if (!cursor.isMissingNode()) {
                    moveTo(cursor.asString(), "position");
                }
            }
            case "gap" -> {
                fault("gap: " + text);
                moveTo(frame.path("cursor").asString(), "gap");
            }
            case "error" -> fault("error: " + text);
            default -> {
                // connected, subscribed …
            }
        }
    }

    private void event(JsonNode frame, long receivedAt) {
        int sequence = frame.path("data").path("n").asInt(-1);
        if (!frame.path("channel").asString("").equals(channel) || sequence < 0) {
            fault("foreign event: " + frame);
            return;
        }
        boolean again = seen.get(sequence);
        if (!frame.has("cursor")) {
            // Provisional, from its copy ahead of the log: it has no place, and moves nothing.
            if (again) {
                fault("event " + sequence + " came again, provisionally");
            }
            provisional.set(sequence);
        } else {
            inOrder(frame, sequence);
            if (again && !provisional.get(sequence)) {
                fault("event " + sequence + " came again");
            }
            provisional.clear(sequence);
        }
        if (again) {
            return;
        }
        seen.set(sequence);
        if (frame.path("replay").asBoolean(false)) {
            replayed++;
        } else {
            slowest = Math.max(
                    slowest, (int) (receivedAt - frame.path("data").path("t").asLong(receivedAt)));
        }
    }

    private void inOrder(JsonNode frame, int sequence) {
        String cursor = frame.path("cursor").asString("");
        if (!head(cursor).equals(epochAndPartition)) {
            fault("foreign event: " + frame);
            return;
        }
        long prev = frame.path("prev").asLong(Long.MIN_VALUE);
        long offset = offset(cursor);
        if (offset <= position) {
            fault("at " + position + " came event " + offset);
        } else if (prev > position || prev >= offset) {
            fault("hole: at " + position + " came event " + offset + " with prev " + prev);
        }
        position = Math.max(position, offset);
        if (sequence < highest) {
            fault("event " + sequence + " came after " + highest);
        }
        highest = Math.max(highest, sequence);
    }

    private void moveTo(String cursor, String by) {
        if (!head(cursor).equals(epochAndPartition) || offset(cursor) < position) {
            fault(by + " leads from " + cursor() + " to " + cursor);
        }
        epochAndPartition = head(cursor);
        position = Math.max(position, offset(cursor));
    }

    private void fault(String what) {
        if (faults.size() < 10) { // the first few tell; the assertion counts users, not faults
            faults.add(what);
        }
    }

    /** Whether all of the first {@code count} events have come. */
    boolean has(int count) {
        return seen.nextClearBit(0) >= count;
    }

    /** Whether they came in order, each once, without a hole. */
    boolean faultless() {
        return faults.isEmpty();
    }

    List<String> faults() {
        return List.copyOf(faults);
    }

    /** Milliseconds that the slowest live event took from its publisher. */
    int slowest() {
        return slowest;
    }

    int replayed() {
        return replayed;
    }

    private static String head(String cursor) {
        return cursor.substring(0, Math.max(0, cursor.lastIndexOf('.')));
    }

    private static long offset(String cursor) {
        return Long.parseLong(cursor.substring(cursor.lastIndexOf('.') + 1));
    }
}
