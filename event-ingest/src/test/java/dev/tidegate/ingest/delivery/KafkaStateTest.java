package dev.tidegate.ingest.delivery;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.ingest.delivery.KafkaState.Sight;
import dev.tidegate.ingest.delivery.KafkaState.Spool;
import dev.tidegate.ingest.delivery.KafkaState.State;
import java.time.Duration;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** Each edge of the table in ADR 111, on a clock that is moved by hand. */
class KafkaStateTest {
    private final KafkaState machine = new KafkaState(
            new KafkaState.Limits(Duration.ofMillis(500), Duration.ofSeconds(5), Duration.ofSeconds(30)));

    private long now;
    private boolean seen = true;
    private boolean ready = true;
    private long oldest;
    private long acknowledgedAt;
    private Spool spool = Spool.CLEAR;

    private State look() {
        return machine.look(new Sight(now, seen, ready, oldest, acknowledgedAt, spool));
    }

    private State after(long millis) {
        now += Duration.ofMillis(millis).toNanos();
        return look();
    }

    private static long millis(long n) {
        return Duration.ofMillis(n).toNanos();
    }

    private void healthy() {
        assertThat(look()).isEqualTo(State.HEALTHY);
    }

    @Test
    @DisplayName("It begins in SPOOLING, and leaves it when Kafka is seen and the producer ready")
    void theStart() {
        assertThat(machine.state()).isEqualTo(State.SPOOLING);
        seen = false;
        assertThat(look()).isEqualTo(State.SPOOLING);
        seen = true;
        ready = false;
        assertThat(look()).isEqualTo(State.SPOOLING);
        ready = true;
        spool = Spool.UNKNOWN;
        assertThat(look()).isEqualTo(State.DRAINING);
        assertThat(after(60_000)).as("nobody has asked the spool yet").isEqualTo(State.DRAINING);
        spool = Spool.EMPTY;
        assertThat(look()).as("the floor is not ours").isEqualTo(State.DRAINING);
        spool = Spool.CLEAR;
        assertThat(look()).isEqualTo(State.HEALTHY);
    }

    @Test
    @DisplayName("Without PostgreSQL at the start, events go to Kafka")
    void theStartWithoutPostgres() {
        spool = Spool.AWAY;
        assertThat(look()).isEqualTo(State.HEALTHY);
    }

    @Test
    @DisplayName("A write that waits makes it suspect; its acknowledgement makes it healthy again")
    void suspicionAndRecovery() {
        healthy();
        oldest = millis(499);
        assertThat(look()).isEqualTo(State.HEALTHY);
        oldest = millis(500);
        assertThat(look()).isEqualTo(State.SUSPECT);
        assertThat(machine.cause()).isEqualTo("a write has been unacknowledged for 500 ms");
        oldest = millis(4_999);
        assertThat(after(4_400)).isEqualTo(State.SUSPECT);
        oldest = 0;
        assertThat(look()).isEqualTo(State.HEALTHY);
    }

    @Test
    @DisplayName("A write that waits for the delivery timeout opens the circuit, from either state")
    void aWriteTimesOut() {
        healthy();
        oldest = millis(600);
        assertThat(look()).isEqualTo(State.SUSPECT);
        oldest = millis(5_000);
        assertThat(look()).isEqualTo(State.SPOOLING);
    }

    @Test
    void aWriteTimesOutUnnoticed() {
        healthy();
        oldest = millis(5_000);
        assertThat(look()).isEqualTo(State.SPOOLING);
    }

    @Test
    @DisplayName("Looks that fail do not open the circuit while Kafka acknowledges")
    void looksFailButWritesSucceed() {
        healthy();
        seen = false;
        assertThat(look()).isEqualTo(State.SUSPECT);
        for (int i = 0; i < 100; i++) {
            acknowledgedAt = now;
            assertThat(after(1_000)).isEqualTo(State.SUSPECT);
        }
        assertThat(after(3_999)).isEqualTo(State.SUSPECT);
        assertThat(after(1)).as("5 s without a look or an acknowledgement").isEqualTo(State.SPOOLING);
    }

    @Test
    @DisplayName("A refused write opens the circuit, and each attempt to close it waits longer")
    void refusals() {
        healthy();
        spool = Spool.BUSY;
        long pause = 500;
        for (int i = 0; i < 6; i++) {
            machine.failed(now, "refused");
            assertThat(machine.state()).isEqualTo(State.SPOOLING);
            assertThat(look()).isEqualTo(State.SPOOLING);
            assertThat(after(pause - 1)).isEqualTo(State.SPOOLING);
            assertThat(after(1)).isEqualTo(State.DRAINING);
            pause = Math.min(2 * pause, 5_000);
        }
        // when the relay gets something through
        machine.relayed();
        machine.failed(now, "again");
        assertThat(after(500)).isEqualTo(State.DRAINING);
    }

    @Test
    @DisplayName("Rows in the spool draw events there, until it is empty and the floor ours")
    void anotherSpools() {
        healthy();
        spool = Spool.BUSY;
        assertThat(look()).isEqualTo(State.DRAINING);
        assertThat(after(3_600_000)).isEqualTo(State.DRAINING);
        spool = Spool.EMPTY;
        assertThat(look()).isEqualTo(State.DRAINING);
        spool = Spool.CLEAR;
        assertThat(look()).isEqualTo(State.HEALTHY);
    }

    @Test
    @DisplayName("A spool that is nearly empty is waited for, a second at most")
    void closing() {
        healthy();
        machine.close(now);
        assertThat(machine.state()).as("nothing to close").isEqualTo(State.HEALTHY);
        for (Spool end : Spool.values()) {
            spool = Spool.ROWS;
            look();
            machine.close(now);
            assertThat(look()).as("rows are what is waited for").isEqualTo(State.CLOSING);
            assertThat(after(999)).isEqualTo(State.CLOSING);
            spool = end;
            assertThat(look())
                    .as("%s", end)
                    .isEqualTo(
                            switch (end) {
                                case CLEAR -> State.HEALTHY;
                                case BUSY, AWAY -> State.DRAINING;
                                case ROWS, EMPTY, UNKNOWN -> State.CLOSING;
                            });
            assertThat(after(1)).isNotEqualTo(State.CLOSING);
        }
        // and Kafka may go in that moment, too
        spool = Spool.ROWS;
        look();
        machine.close(now);
        seen = false;
        assertThat(look()).isEqualTo(State.SPOOLING);
    }

    @Test
    void rowsInTheSpoolCountInSuspectToo() {
        healthy();
        oldest = millis(600);
        look();
        spool = Spool.BUSY;
        assertThat(look()).isEqualTo(State.DRAINING);
    }

    @Test
    @DisplayName("Kafka goes again while draining")
    void drainingAndAwayAgain() {
        healthy();
        spool = Spool.BUSY;
        look();
        seen = false;
        assertThat(look()).isEqualTo(State.SPOOLING);
        seen = true;
        assertThat(look()).isEqualTo(State.DRAINING);
        machine.failed(now, "the relay could not write");
        assertThat(machine.state()).isEqualTo(State.SPOOLING);
        assertThat(machine.cause()).isEqualTo("the relay could not write");
    }

    @Test
    @DisplayName("PostgreSQL goes while the spool may have rows: order is kept for 30 s, then it gives way")
    void postgresGoesWhileDraining() {
        healthy();
        spool = Spool.BUSY;
        look();
        spool = Spool.AWAY;
        assertThat(look()).isEqualTo(State.DRAINING);
        assertThat(after(29_999)).isEqualTo(State.DRAINING);
        assertThat(after(1)).isEqualTo(State.HEALTHY);
        assertThat(machine.cause()).contains("order gives way");
        assertThat(after(60_000)).isEqualTo(State.HEALTHY);
        // and when it is back, so is order
        spool = Spool.BUSY;
        assertThat(look()).isEqualTo(State.DRAINING);
    }

    @Test
    @DisplayName("An event that was spooled from here counts as one that may be there, whatever was counted before")
    void spooledFromHere() {
        healthy();
        machine.failed(now, "refused");
        spool = Spool.EMPTY;
        look();
        machine.spooled();
        spool = Spool.AWAY;
        assertThat(after(1_000)).isEqualTo(State.DRAINING);
        assertThat(after(29_999)).isEqualTo(State.DRAINING);
        assertThat(after(1)).isEqualTo(State.HEALTHY);
    }

    @Test
    @DisplayName("PostgreSQL alone being away changes nothing")
    void postgresAway() {
        healthy();
        spool = Spool.AWAY;
        assertThat(after(100_000)).isEqualTo(State.HEALTHY);
        seen = false;
        assertThat(look()).isEqualTo(State.SUSPECT);
        assertThat(after(5_000)).isEqualTo(State.SPOOLING);
        seen = true;
        assertThat(look()).isEqualTo(State.HEALTHY);
    }
}
