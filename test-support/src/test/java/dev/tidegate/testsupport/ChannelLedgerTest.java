package dev.tidegate.testsupport;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.json.JsonMapper;

/** The checker itself must be right, or every test that leans on it proves nothing: each rule is broken once here. */
class ChannelLedgerTest {

    private static final JsonMapper JSON = new JsonMapper();
    private final List<String> violations = new ArrayList<>();

    private ChannelLedger ledger(ChannelLedger.Start start) {
        ChannelLedger ledger = new ChannelLedger("c", start, (rule, frame) -> violations.add(rule));
        ledger.resume();
        return ledger;
    }

    private ChannelLedger subscribed(String position) {
        ChannelLedger ledger = ledger(new ChannelLedger.Start.Now());
        ledger.onSubscribed(JSON.readTree("{\"cursor\":\"%s\",\"recovery\":\"none\"}".formatted(position)));
        return ledger;
    }

    private static void event(ChannelLedger ledger, String id, long prev, String cursor) {
        ledger.onEvent(
                JSON.readTree("{\"id\":\"%s\",\"prev\":%d,\"cursor\":\"%s\",\"data\":1}".formatted(id, prev, cursor)),
                0);
    }

    private static void replayed(ChannelLedger ledger, String id, long prev, String cursor) {
        ledger.onEvent(
                JSON.readTree("{\"id\":\"%s\",\"prev\":%d,\"cursor\":\"%s\",\"data\":1,\"replay\":true}"
                        .formatted(id, prev, cursor)),
                0);
    }

    @Test
    @DisplayName("a whole stream breaks no rule: quiet stretches, position frames and a position of -1 included")
    void whole() {
        // given
        ChannelLedger ledger = subscribed("e.1.-1");
        // when
        event(ledger, "a", -1, "e.1.0");
        event(ledger, "b", 0, "e.1.7");
        ledger.onPosition("e.1.20", JSON.readTree("{}"));
        event(ledger, "c", 7, "e.1.21");
        event(ledger, "d", 21, "e.1.22");
        // then
        assertThat(violations).isEmpty();
        assertThat(ledger.events()).extracting(ReceivedEvent::id).containsExactly("a", "b", "c", "d");
        assertThat(ledger.position()).isEqualTo(new Position("e", 1, 22));
    }

    @Test
    @DisplayName("a hole is seen once, and the stream after it is judged anew")
    void hole() {
        // given
        ChannelLedger ledger = subscribed("e.1.5");
        // when
        event(ledger, "a", 8, "e.1.9");
        event(ledger, "b", 9, "e.1.10");
        // then
        assertThat(violations).containsExactly("hole: prev 8 but position e.1.5");
    }

    @Test
    @DisplayName("events that go back, come twice, change partition or lack prev are seen")
    void wrongEvents() {
        // given
        ChannelLedger ledger = subscribed("e.1.5");
        // when
        event(ledger, "a", 3, "e.1.5");
        event(ledger, "b", 5, "e.1.6");
        event(ledger, "b", 5, "e.1.6");
        event(ledger, "c", 6, "e.2.7");
        event(ledger, "d", 8, "f.2.9");
        event(ledger, "e", 9, "f.2.9");
        ledger.onEvent(JSON.readTree("{\"id\":\"f\",\"cursor\":\"f.2.10\",\"data\":1}"), 0);
        ledger.onEvent(JSON.readTree("{\"prev\":10,\"cursor\":\"f.2.11\",\"data\":1}"), 0);
        // then
        assertThat(violations)
                .containsExactly(
                        "new event at or before position e.1.5",
                        "event sent again at or before position e.1.6",
                        "event of another epoch or partition than position e.1.6 without a gap",
                        "event of another epoch or partition than position e.2.7 without a gap",
                        "prev 9 is not before the event",
                        "new event at or before position f.2.9",
                        "event with cursor but without prev",
                        "event without id");
        assertThat(ledger.repeats()).isEqualTo(1);
    }

    @Test
    @DisplayName("positions that go back, leave the partition, are no cursors or come too early are seen")
    void wrongPositions() {
        // given
        ChannelLedger ledger = subscribed("e.1.5");
        // when
        ledger.onPosition("e.1.5", JSON.readTree("{}"));
        ledger.onPosition("e.1.4", JSON.readTree("{}"));
        ledger.onPosition("e.2.9", JSON.readTree("{}"));
        ledger.onPosition("9", JSON.readTree("{}"));
        ledger.onDisconnect();
        ledger.onPosition("e.2.9", JSON.readTree("{}"));
        event(ledger, "a", 9, "e.2.10");
        // then
        assertThat(violations)
                .containsExactly(
                        "position moves back from e.1.5",
                        "position of another epoch or partition than e.1.4 without a gap",
                        "position is no cursor",
                        "position before subscribed",
                        "event before subscribed");
    }

    @Test
    @DisplayName("a resumed channel asks after its position, and what comes again counts as a repeat")
    void resumes() {
        // given
        ChannelLedger ledger = subscribed("e.1.5");
        event(ledger, "a", 5, "e.1.6");
        ledger.onEvent(JSON.readTree("{\"id\":\"b\",\"data\":1}"), 0);
        ledger.onDisconnect();
        // when
        ChannelLedger.Start start = ledger.resume();
        ledger.onSubscribed(JSON.readTree("{\"cursor\":\"e.1.9\",\"recovery\":\"complete\",\"replayed\":1}"));
        replayed(ledger, "b", 6, "e.1.7");
        event(ledger, "c", 7, "e.1.10");
        // then
        assertThat(start).isEqualTo(new ChannelLedger.Start.After("e.1.6"));
        assertThat(violations).isEmpty();
        assertThat(ledger.events()).extracting(ReceivedEvent::id).containsExactly("a", "b", "c");
        assertThat(ledger.repeats()).isEqualTo(1);
        assertThat(ledger.provisional()).isEqualTo(1);
    }

    @Test
    @DisplayName("a wrong count of replayed events is seen")
    void wrongReplayCount() {
        // given
        ChannelLedger ledger = ledger(new ChannelLedger.Start.After("e.1.5"));
        ledger.onSubscribed(JSON.readTree("{\"cursor\":\"e.1.9\",\"recovery\":\"complete\",\"replayed\":2}"));
        // when
        replayed(ledger, "a", 5, "e.1.6");
        event(ledger, "b", 6, "e.1.10");
        // then
        assertThat(violations).containsExactly("replayed: 2 but 1 came before a live event");
    }

    @Test
    @DisplayName("`last` begins where its first event says, or at the cursor told when there is none")
    void last() {
        // given
        ChannelLedger some = ledger(new ChannelLedger.Start.Last(2));
        ChannelLedger none = ledger(new ChannelLedger.Start.Last(2));
        // when
        some.onSubscribed(JSON.readTree("{\"cursor\":\"e.1.9\",\"recovery\":\"complete\",\"replayed\":2}"));
        replayed(some, "a", 3, "e.1.6");
        replayed(some, "b", 6, "e.1.8");
        event(some, "c", 9, "e.1.10");
        none.onSubscribed(JSON.readTree("{\"cursor\":\"e.1.9\",\"recovery\":\"complete\",\"replayed\":0}"));
        event(none, "d", 11, "e.1.12");
        // then: the second channel has a hole between 9 and 11; the first one has one between 8 and 9
        assertThat(violations).containsExactly("hole: prev 9 but position e.1.8", "hole: prev 11 but position e.1.9");
    }

    @Test
    @DisplayName("a gap sets the position, before or after `subscribed`; a gap that lies is seen")
    void gaps() {
        // given
        ChannelLedger ledger = ledger(new ChannelLedger.Start.After("old.1.5"));
        // when
        ledger.onGap(JSON.readTree("{\"after\":\"old.1.5\",\"cursor\":\"new.1.40\",\"reason\":\"epoch\"}"));
        ledger.onSubscribed(JSON.readTree("{\"cursor\":\"new.1.41\",\"recovery\":\"gap\",\"replayed\":1}"));
        replayed(ledger, "a", 40, "new.1.41");
        ledger.onGap(JSON.readTree("{\"after\":\"new.1.41\",\"cursor\":\"new.1.50\",\"reason\":\"expired\"}"));
        // then
        assertThat(violations).isEmpty();
        assertThat(ledger.gaps()).hasSize(2);
        // and
        ledger.onGap(JSON.readTree("{\"after\":\"new.1.1\",\"cursor\":\"new.1.49\",\"reason\":\"weather\"}"));
        assertThat(violations)
                .containsExactly("unknown gap reason", "gap after new.1.1 but position new.1.50", "gap that goes back");
    }
}
