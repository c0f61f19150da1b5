package dev.tidegate.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.Position;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.JsonNode;

/** Server-sent events: cut, and resumed by nothing but the last event id, as a browser does. */
@Timeout(480)
class EventStreamTest {

    private static final int CUTS = 4;
    private static final int EVENTS_PER_LEG = 12;

    private final Services services = Services.quiet();
    private final Publisher publisher = services.publisher();
    private final String sse = services.gateway().url() + "/v1/sse?";

    /** Per channel what a reader has, by the rules of the contract: repeats dropped by id, no hole in {@code prev}. */
    private static final class Reader {
        private final Map<String, List<String>> data = new LinkedHashMap<>();
        private final Map<String, Position> positions = new HashMap<>();
        private final Set<String> ids = new HashSet<>();
        private int replayed;

        void take(SseStream stream) {
            for (SseStream.Block block : stream.blocks()) {
                JsonNode frame = block.frame();
                switch (frame.path("op").asString("")) {
                    case "event" -> event(frame);
                    case "position" ->
                        frame.path("channels")
                                .properties()
                                .forEach(told -> position(
                                        told.getKey(),
                                        Position.of(told.getValue().asString())));
                    default -> throw new AssertionError("neither event nor position: " + frame);
                }
            }
        }

        /** Only forward: after resuming by a token it may lie before what is known. */
        private void position(String channel, Position told) {
            positions.merge(channel, told, (known, next) -> {
                assertThat(next.comparableWith(known)).isTrue();
                return next.offset() > known.offset() ? next : known;
            });
        }

        private void event(JsonNode frame) {
            String channel = frame.path("channel").asString();
            if (!ids.add(frame.path("id").asString())) {
                return;
            }
            Position at = Position.of(frame.path("cursor").asString());
            Position before = positions.put(channel, at);
            if (before != null) {
                assertThat(at.comparableWith(before))
                        .as("%s after %s", frame, before)
                        .isTrue();
                assertThat(at.offset()).as("%s", frame).isGreaterThan(before.offset());
                assertThat(frame.path("prev").asLong())
                        .as("hole before %s", frame)
                        .isLessThanOrEqualTo(before.offset());
            }
            if (frame.path("replay").asBoolean(false)) {
                replayed++;
            }
            data.computeIfAbsent(channel, _ -> new ArrayList<>())
                    .add(frame.path("data").toString());
        }
    }

    @Test
    @DisplayName(
            "a stream over several channels is cut again and again and resumes by Last-Event-ID: all events, in order, no hole")
    void resumes() {
        // given: channels of which two share a partition, and one that stays silent until the end
        String run = Backends.unique("chat:sse");
        List<String> channels =
                List.of(Topic.channelIn(0, run + ".a"), Topic.channelIn(0, run + ".b"), Topic.channelIn(1, run + ".c"));
        String silent = Topic.channelIn(2, run + ".silent");
        String url = sse + channels.stream().map(c -> "channel=" + c).collect(Collectors.joining("&")) + "&channel="
                + silent;
        Map<String, List<String>> published = new LinkedHashMap<>();
        Reader reader = new Reader();
        String lastEventId = "";
        int n = 0;
        for (int leg = 0; leg <= CUTS; leg++) {
            // when
            try (SseStream stream =
                    leg == 0 ? SseStream.open(url) : SseStream.open(url, "Last-Event-ID", lastEventId)) {
                assertThat(stream.contentType()).startsWith("text/event-stream");
                stream.awaitOpen();
                if (leg == CUTS) {
                    publish(published, silent, n);
                }
                for (int i = 0; i < EVENTS_PER_LEG; i++, n++) {
                    publish(published, channels.get(n % 3), n);
                }
                // The last one of each channel: partitions wait for each other no more than they must.
                List<String> last =
                        published.values().stream().map(List::getLast).toList();
                await("the leg's last events").atMost(Answers.WITHIN).until(() -> has(stream, last));
                // Hung up first: what came between the two would be behind the id, and not taken.
                stream.hangUp();
                reader.take(stream);
                lastEventId = stream.lastEventId();
            }
            // what is published while nobody listens
            if (leg < CUTS) {
                for (int i = 0; i < EVENTS_PER_LEG; i++, n++) {
                    publish(published, channels.get(n % 3), n);
                }
            }
        }
        // then
        assertThat(reader.data).containsExactlyInAnyOrderEntriesOf(published);
        assertThat(reader.replayed).isPositive();
    }

    private static boolean has(SseStream stream, List<String> data) {
        return stream.events().stream()
                .map(block -> block.frame().path("data").toString())
                .collect(Collectors.toSet())
                .containsAll(data);
    }

    private void publish(Map<String, List<String>> published, String channel, int n) {
        String json = Integer.toString(100_000 + n);
        publisher.stored(channel, json);
        published.computeIfAbsent(channel, _ -> new ArrayList<>()).add(json);
    }

    @Test
    @DisplayName("a gap is an event named gap, before what remains")
    void gap() {
        // given
        String channel = Backends.unique("chat:gap");
        publisher.stored(channel, "1");
        String foreign = new Position("AAAAAAAA", Topic.partitionOf(channel), 5).toString();
        // when
        try (SseStream stream = SseStream.open(sse + "channel=" + channel + "&after=" + foreign)) {
            stream.awaitEvents(1);
            // then
            List<SseStream.Block> blocks = stream.blocks().stream()
                    .filter(block -> !block.event().equals("position"))
                    .toList();
            assertThat(blocks).extracting(SseStream.Block::event).containsExactly("gap", "message");
            JsonNode gap = blocks.getFirst().frame();
            assertThat(gap.path("op").asString()).isEqualTo("gap");
            assertThat(gap.path("channel").asString()).isEqualTo(channel);
            assertThat(gap.path("after").asString()).isEqualTo(foreign);
            assertThat(gap.path("reason").asString()).isEqualTo("epoch");
            assertThat(blocks.getLast().frame().path("data").asInt()).isEqualTo(1);
        }
    }

    @Test
    @DisplayName("with last=n a stream begins with the newest n; a plain cursor is a token too")
    void beginnings() {
        String channel = Backends.unique("chat:last");
        List<String> cursors = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            cursors.add(publisher.stored(channel, Integer.toString(i)).cursor());
        }
        try (SseStream last = SseStream.open(sse + "channel=" + channel + "&last=2");
                SseStream token = SseStream.open(sse + "channel=" + channel, "Last-Event-ID", cursors.get(1))) {
            last.awaitEvents(2);
            token.awaitEvents(3);
            publisher.stored(channel, "5");
            await("the newest of all")
                    .atMost(Answers.WITHIN)
                    .until(() -> numbers(last).contains(5));
            token.awaitEvents(4);
            // Newest where the gateway stood, which may have been one or two events behind ingest; then all that came.
            assertThat(numbers(last))
                    .endsWith(3, 4, 5)
                    .isSubsetOf(1, 2, 3, 4, 5)
                    .isSorted();
            assertThat(numbers(token)).containsExactly(2, 3, 4, 5);
        }
    }

    private static List<Integer> numbers(SseStream stream) {
        return stream.events().stream()
                .map(block -> block.frame().path("data").asInt())
                .toList();
    }
}
