package dev.tidegate.it;

import static dev.tidegate.it.Answers.WITHIN;
import static dev.tidegate.it.Answers.answer;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.ReceivedEvent;
import dev.tidegate.testsupport.TidegateClient;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Stream;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Records that producers write straight into the fan-out topic and that are no events, or only nearly: every path agrees on what they are. */
@Timeout(360)
class BadRecordsTest {

    private static final byte[] NOT_UTF8 = {'a', (byte) 0xff, 'b'};

    private final Services services = Services.quiet();
    private final Topic topic = services.topic();
    private final String channel = Backends.unique("chat:records");
    private final int home = Topic.partitionOf(channel);

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static Header header(String name, String value) {
        return new RecordHeader(name, bytes(value));
    }

    private void write(int partition, byte[] key, byte[] value, Header... headers) {
        topic.write(new ProducerRecord<>(topic.name(), partition, key, value, List.of(headers)));
    }

    @Test
    @DisplayName(
            "without key, not JSON, broken header, misplaced: passed over, mended or moved home, alike live, replayed and read; what follows arrives")
    void records() {
        byte[] key = bytes(channel);
        String gateway = services.gateway().url();
        Told.Ears heard = new Told.Ears();
        try (TidegateClient live =
                        TidegateClient.at(gateway).name("live").listener(heard).connect();
                SseStream stream = SseStream.open(gateway + "/v1/sse?channel=" + channel)) {
            String start = answer(live.subscribe(channel)).path("cursor").asString();
            stream.awaitOpen();

            // when: no events at all
            write(home, null, bytes("{\"no\":\"key\"}"));
            write(home, new byte[0], bytes("{\"empty\":\"key\"}"));
            write(home, bytes("with blank"), bytes("{}"));
            write(home, bytes("x".repeat(300)), bytes("{}"));
            write(home, NOT_UTF8, bytes("{}"));
            write(home, key, null);
            write(home, key, bytes("{\"broken\":"));
            write(home, key, bytes("\"" + "x".repeat(1 << 16) + "\""));
            write(home, key, NOT_UTF8, header("content-type", "text/plain"));
            // and one in a partition that is not its channel's
            write((home + 1) % Services.PARTITIONS, key, bytes("{\"is\":\"misplaced\"}"));
            // events with broken headers, which count as absent
            write(home, key, bytes("{\"is\":\"nameless\"}"), header("ce_id", "a\nb"), header("ce_time", "yesterday"));
            write(
                    home,
                    key,
                    bytes("{\"is\":\"typeless\"}"),
                    header("ce_id", "r-2"),
                    new RecordHeader("ce_type", NOT_UTF8));
            write(home, key, bytes("{\"is\":\"nulls\"}"), header("ce_id", "r-3"), new RecordHeader("ce_type", null));
            // and a good one
            write(home, key, bytes("{\"is\":\"good\"}"), header("ce_id", "r-4"), header("ce_type", "note"));

            // then: live, the misplaced one moved home meanwhile
            List<String> inPlace = Stream.of("nameless", "typeless", "nulls", "good")
                    .map(is -> "{\"is\":\"" + is + "\"}")
                    .toList();
            int count = inPlace.size() + 1;
            live.awaitEvents(channel, count, WITHIN);
            List<ReceivedEvent> events = live.events(channel);
            assertThat(events).extracting(ReceivedEvent::data).containsSubsequence(inPlace);
            assertThat(events).extracting(ReceivedEvent::data).contains("{\"is\":\"misplaced\"}");
            assertThat(events)
                    .filteredOn(event -> event.data().contains("nameless"))
                    .singleElement()
                    .satisfies(event ->
                            assertThat(event.id()).isEqualTo(event.cursor().toString()));
            assertThat(events)
                    .filteredOn(event -> !event.data().contains("misplaced"))
                    .extracting(ReceivedEvent::type)
                    .containsExactly(null, null, null, "note");
            assertThat(live.violations()).isEmpty();
            List<Told> told = heard.events();
            // over the event stream
            stream.awaitEvents(count);
            assertThat(stream.events().stream().map(SseStream.Block::frame).map(Told::of))
                    .isEqualTo(told);
            // replayed
            Told.Ears heardAgain = new Told.Ears();
            try (TidegateClient back =
                    TidegateClient.at(gateway).name("back").listener(heardAgain).connect()) {
                answer(back.subscribeAfter(channel, start));
                back.awaitEvents(channel, count, WITHIN);
                assertThat(heardAgain.events()).isEqualTo(told);
                assertThat(heardAgain.replayed()).isEqualTo(count);
                assertThat(back.violations()).isEmpty();
            }
            // and read
            Publisher.Answer history = Publisher.get(services.replay().url() + "/v1/channels/"
                    + URLEncoder.encode(channel, StandardCharsets.UTF_8) + "/events?after=" + start);
            assertThat(history.status()).as("%s", history).isEqualTo(200);
            assertThat(history.body().path("events").valueStream().map(Told::of))
                    .isEqualTo(told);
            assertThat(history.body().path("complete").asBoolean()).isTrue();
        }
    }
}
