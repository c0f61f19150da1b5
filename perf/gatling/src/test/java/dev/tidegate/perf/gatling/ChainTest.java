package dev.tidegate.perf.gatling;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ChainTest {
    private final Chain chain = new Chain("c");

    @BeforeEach
    void start() {
        chain.start("E.1.10");
    }

    private static String event(long offset, long prev, int sequence) {
        return "{\"op\":\"event\",\"channel\":\"c\",\"cursor\":\"E.1." + offset + "\",\"prev\":" + prev
                + ",\"id\":\"i\",\"time\":1,\"data\":{\"n\":" + sequence + ",\"t\":1000,\"pad\":\"x\"}}";
    }

    @Test
    void aWholeChainIsFaultless() {
        // given a user at offset 10
        // when
        chain.take("{\"op\":\"connected\"}", 0);
        chain.take(event(12, 10, 0), 1005);
        chain.take("{\"op\":\"position\",\"channels\":{\"other\":\"E.1.3\",\"c\":\"E.1.14\"}}", 0);
        chain.take(event(15, 12, 1), 1030);
        chain.take(event(16, 15, 2).replace("\"data\"", "\"replay\":true,\"data\""), 9999);

        // then
        assertThat(chain.faults()).isEmpty();
        assertThat(chain.has(3)).isTrue();
        assertThat(chain.has(4)).isFalse();
        assertThat(chain.cursor()).isEqualTo("E.1.16");
        assertThat(chain.slowest()).isEqualTo(30);
        assertThat(chain.replayed()).isEqualTo(1);
    }

    @Test
    void aHoleIsAFault() {
        // given, when
        chain.take(event(12, 11, 0), 0);

        // then
        assertThat(chain.faults()).hasSize(1).allMatch(f -> f.contains("hole"));
    }

    @Test
    void aLostEventIsMissedEvenIfPrevHidesIt() {
        // given, when
        chain.take(event(12, 10, 0), 0);
        chain.take(event(14, 12, 2), 0);

        // then
        assertThat(chain.has(3)).isFalse();
    }

    @Test
    void repeatsAndReversalsAreFaults() {
        // given, when
        chain.take(event(12, 10, 1), 0);
        chain.take(event(12, 10, 1), 0);
        chain.take(event(13, 12, 0), 0);

        // then
        assertThat(chain.faults()).hasSize(3);
    }

    @Test
    void aProvisionalEventCountsAndMovesNothing() {
        // given, when: the first comes ahead of the log and is a position there, the other comes from the log, too
        chain.take(provisional(0), 1005);
        chain.take("{\"op\":\"position\",\"channels\":{\"c\":\"E.1.12\"}}", 0);
        chain.take(provisional(2), 1010);
        chain.take(event(13, 12, 1), 1020);
        chain.take(event(14, 13, 2), 1030);

        // then
        assertThat(chain.faults()).isEmpty();
        assertThat(chain.has(3)).isTrue();
        assertThat(chain.cursor()).isEqualTo("E.1.14");
        assertThat(chain.slowest()).isEqualTo(20);

        // when: neither of them may come more often
        chain.take(provisional(1), 0);
        chain.take(event(15, 14, 2), 0);

        // then
        assertThat(chain.faults()).hasSize(2).anyMatch(f -> f.contains("provisionally"));
    }

    private static String provisional(int sequence) {
        return event(0, 0, sequence).replace("\"cursor\":\"E.1.0\",\"prev\":0,", "");
    }

    @Test
    void anotherLogOrChannelOrPayloadIsAFault() {
        // given, when
        chain.take(event(12, 10, 0).replace("E.1.12", "F.1.12"), 0);
        chain.take(event(12, 10, 0).replace("\"c\"", "\"d\""), 0);
        chain.take(event(12, 10, 0).replace("\"n\"", "\"m\""), 0);

        // then
        assertThat(chain.faults()).hasSize(3);
    }

    @Test
    void gapsErrorsAndStepsBackAreFaults() {
        // given, when
        chain.take(
                "{\"op\":\"gap\",\"channel\":\"c\",\"after\":\"E.1.10\",\"cursor\":\"E.1.20\",\"reason\":\"expired\"}",
                0);
        chain.take("{\"op\":\"error\",\"code\":\"internal\"}", 0);
        chain.take("{\"op\":\"position\",\"channels\":{\"c\":\"E.1.15\"}}", 0);

        // then
        assertThat(chain.faults()).hasSize(3);
        assertThat(chain.cursor()).isEqualTo("E.1.20");
    }
}
