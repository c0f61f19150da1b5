package dev.tidegate.testsupport;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * What a client knows of one channel, and the continuity rule of the contract applied to every frame of it: after {@code subscribed}, each event
 * with a cursor must satisfy {@code prev <= position < offset} within one epoch and partition; {@code position} and {@code gap} frames set the
 * position; an id seen before is dropped. After a violation the ledger goes on from the frame that broke the rule, so that one hole is one violation.
 *
 * <p>Not thread-safe: its {@link TidegateClient} calls it under its lock.
 */
final class ChannelLedger {

    private static final Set<String> GAP_REASONS = Set.of("expired", "epoch", "overflow");

    /** How a subscription was asked for. */
    sealed interface Start {
        /** From now on. */
        record Now() implements Start {}

        /** From a cursor on. */
        record After(String cursor) implements Start {}

        /** With the newest {@code count} events. */
        record Last(int count) implements Start {}

        /** From what was acknowledged under a name. */
        record Durable(String name) implements Start {}
    }

    final String channel;
    private final Start asked;
    private final BiConsumer<String, JsonNode> violations;
    private final List<ReceivedEvent> events = new ArrayList<>();
    private final List<ReceivedGap> gaps = new ArrayList<>();
    private final Set<String> ids = new HashSet<>();

    private @Nullable Position position;
    private boolean subscribed;
    private boolean left;
    private boolean gapBeforeSubscribed;
    private long replayExpected = -1;
    private long replayGot;
    private long repeats;
    private long replayed;
    private long provisional;

    /** @param violations told the rule and the frame for each breach */
    ChannelLedger(String channel, Start asked, BiConsumer<String, JsonNode> violations) {
        this.channel = channel;
        this.asked = asked;
        this.violations = violations;
    }

    /** How to ask for the channel on a new connection: as at first, or from where we are. */
    Start resume() {
        subscribed = false;
        gapBeforeSubscribed = false;
        Position known = position;
        Start start = known == null ? asked : new Start.After(known.toString());
        if (start instanceof Start.After after) {
            position = cursor(after.cursor());
        }
        return start;
    }

    /** @return the cursor as a position, or null for one of another shape (a test may ask with rubbish) */
    private static @Nullable Position cursor(String cursor) {
        try {
            return Position.of(cursor);
        } catch (IllegalArgumentException rubbish) {
            return null;
        }
    }

    void onSubscribed(JsonNode frame) {
        if (subscribed) {
            violations.accept("subscribed twice", frame);
        }
        subscribed = true;
        Position told = require(frame, "cursor");
        String recovery = frame.path("recovery").asString("");
        replayExpected = frame.path("replayed").asLong(-1);
        replayGot = 0;
        switch (recovery) {
            case "none" -> {
                if (position == null) {
                    position = told;
                } else if (!gapBeforeSubscribed) {
                    violations.accept("recovery none although a position was given", frame);
                }
            }
            case "complete", "pending" -> {
                // `last` says where it ends, not where it begins: its first event sets the position, or this does when
                // there is none.
                if (position == null && replayExpected == 0) {
                    position = told;
                }
            }
            case "gap" -> {
                // The gap frame sets the position, before this frame or after it.
            }
            default -> violations.accept("unknown recovery", frame);
        }
    }

    void onEvent(JsonNode frame, long now) {
        if (!subscribed) {
            violations.accept("event before subscribed", frame);
        }
        boolean replay = frame.path("replay").asBoolean(false);
        count(replay, frame);
        Position at = frame.has("cursor") ? require(frame, "cursor") : null;
        if (at != null) {
            check(frame, at);
            position = at;
        } else {
            provisional++;
            if (frame.has("prev")) {
                violations.accept("provisional event with prev", frame);
            }
        }
        String id = frame.path("id").asString("");
        if (id.isEmpty()) {
            violations.accept("event without id", frame);
        } else if (!ids.add(id)) {
            repeats++;
            return;
        }
        if (replay) {
            replayed++;
        }
        JsonNode data = frame.has("data") ? frame.path("data") : frame.path("data64");
        events.add(new ReceivedEvent(
                channel,
                id,
                at,
                frame.path("type").asString(null),
                frame.path("time").asLong(-1),
                data.toString(),
                replay,
                now));
    }

    private void count(boolean replay, JsonNode frame) {
        if (replayExpected < 0) {
            return;
        }
        if (replay) {
            replayGot++;
        } else {
            if (replayGot != replayExpected) {
                violations.accept(
                        "replayed: " + replayExpected + " but " + replayGot + " came before a live event", frame);
            }
            replayExpected = -1;
        }
    }

    private void check(JsonNode frame, Position at) {
        if (!frame.path("prev").isIntegralNumber()) {
            violations.accept("event with cursor but without prev", frame);
            return;
        }
        long prev = frame.path("prev").asLong();
        if (prev >= at.offset()) {
            violations.accept("prev " + prev + " is not before the event", frame);
        }
        Position known = position;
        if (known == null) {
            // the first event of `last`: what lies before it was not asked for
            return;
        }
        if (!known.comparableWith(at)) {
            violations.accept("event of another epoch or partition than position " + known + " without a gap", frame);
        } else if (at.offset() <= known.offset()) {
            if (!ids.contains(frame.path("id").asString(""))) {
                violations.accept("new event at or before position " + known, frame);
            } else {
                violations.accept("event sent again at or before position " + known, frame);
            }
        } else if (prev > known.offset()) {
            violations.accept("hole: prev " + prev + " but position " + known, frame);
        }
    }

    void onPosition(String cursor, JsonNode frame) {
        if (!subscribed) {
            violations.accept("position before subscribed", frame);
        }
        Position told = cursor(cursor);
        Position known = position;
        if (told == null) {
            violations.accept("position is no cursor", frame);
            return;
        }
        if (known != null && !known.comparableWith(told)) {
            violations.accept("position of another epoch or partition than " + known + " without a gap", frame);
        } else if (known != null && told.offset() < known.offset()) {
            violations.accept("position moves back from " + known, frame);
        }
        position = told;
    }

    void onGap(JsonNode frame) {
        ReceivedGap gap = new ReceivedGap(
                channel,
                frame.path("after").asString(""),
                frame.path("cursor").asString(""),
                frame.path("reason").asString(""));
        gaps.add(gap);
        gapBeforeSubscribed = !subscribed;
        if (!GAP_REASONS.contains(gap.reason())) {
            violations.accept("unknown gap reason", frame);
        }
        Position told = require(frame, "cursor");
        Position known = position;
        if (known != null && !gap.after().equals(known.toString())) {
            violations.accept("gap after " + gap.after() + " but position " + known, frame);
        }
        if (known != null && told != null && known.comparableWith(told) && told.offset() <= known.offset()) {
            violations.accept("gap that goes back", frame);
        }
        position = told;
    }

    private @Nullable Position require(JsonNode frame, String field) {
        Position told = cursor(frame.path(field).asString(""));
        if (told == null) {
            violations.accept(field + " is no cursor", frame);
        }
        return told;
    }

    @Nullable
    Position position() {
        return position;
    }

    void onUnsubscribed() {
        subscribed = false;
        left = true;
    }

    /** Whether it was unsubscribed, by either side, and so is not asked for again. */
    boolean hasLeft() {
        return left;
    }

    boolean isSubscribed() {
        return subscribed;
    }

    void onDisconnect() {
        subscribed = false;
        replayExpected = -1;
    }

    List<ReceivedEvent> events() {
        return List.copyOf(events);
    }

    int eventCount() {
        return events.size();
    }

    List<ReceivedGap> gaps() {
        return List.copyOf(gaps);
    }

    long repeats() {
        return repeats;
    }

    long replayed() {
        return replayed;
    }

    long provisional() {
        return provisional;
    }
}
