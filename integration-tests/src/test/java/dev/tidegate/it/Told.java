package dev.tidegate.it;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import tools.jackson.databind.JsonNode;

/**
 * What a client was told of an event, whichever way it came: live or replayed, over a WebSocket, an event stream or HTTP, all must say the same.
 * Fields that a frame does not have are empty; what belongs to the way and not to the event ({@code prev}, {@code replay}) is left out.
 */
record Told(
        String channel,
        String cursor,
        String id,
        String type,
        long time,
        String contentType,
        String data,
        String data64) {

    static Told of(JsonNode event) {
        return new Told(
                event.path("channel").asString(""),
                event.path("cursor").asString(""),
                event.path("id").asString(""),
                event.path("type").asString(""),
                event.path("time").asLong(-1),
                event.path("contentType").asString(""),
                event.has("data") ? event.path("data").toString() : "",
                event.path("data64").asString(""));
    }

    /** Collects the events among the frames of a client that listens with it. */
    static final class Ears implements Consumer<JsonNode> {
        private final List<JsonNode> frames = new CopyOnWriteArrayList<>();

        @Override
        public void accept(JsonNode frame) {
            frames.add(frame);
        }

        List<Told> events() {
            return frames.stream()
                    .filter(frame -> frame.path("op").asString("").equals("event"))
                    .map(Told::of)
                    .toList();
        }

        /** Those marked as replayed. */
        long replayed() {
            return frames.stream()
                    .filter(frame -> frame.path("replay").asBoolean(false))
                    .count();
        }
    }
}
