package dev.tidegate.perf.swarm;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.BitSet;
import java.util.Random;
import org.junit.jupiter.api.Test;

class TrackTest {
    @Test
    void whatIsMissingIsKnownExactlyWhateverTheOrder() {
        // given sequence numbers that come in any order, some never, some again
        long seed = System.nanoTime();
        System.out.println("seed " + seed);
        Random random = new Random(seed);
        for (int round = 0; round < 500; round++) {
            Track track = new Track(0);
            Accounts accounts = new Accounts();
            BitSet seen = new BitSet();
            int repeated = 0;
            for (int i = 0; i < 200; i++) {
                int sequence = random.nextInt(120);

                // when
                boolean fresh = track.see(sequence, accounts);

                // then
                assertThat(fresh).isEqualTo(!seen.get(sequence));
                repeated += fresh ? 0 : 1;
                seen.set(sequence);
                int count = random.nextInt(130);
                assertThat(track.lacking(count))
                        .isEqualTo(count - seen.get(0, count).cardinality());
                assertThat(track.lacks(sequence)).isFalse();
            }
            assertThat(accounts.repeated).isEqualTo(repeated);
            for (int s = 0; s < 130; s++) {
                assertThat(track.lacks(s)).isEqualTo(!seen.get(s));
            }
        }
    }

    @Test
    void whatIsLackingIsToldInWords() {
        // given
        Track track = new Track(0);
        for (int s : new int[] {0, 1, 4, 6, 7}) {
            track.see(s, new Accounts());
        }

        // when
        String told = track.describeLacking(10);

        // then
        assertThat(told).isEqualTo("2-3, 5, 8-9");
    }

    @Test
    void theContinuityRuleOfTheContractIsApplied() {
        // given a client at offset 10
        Accounts a = new Accounts();
        Track track = new Track(0);
        track.position = 10;

        // when events come whose prev is before, at and beyond the position
        track.place(3, 11, true, a);
        track.place(11, 15, true, a);
        assertThat(a.holes).isZero();
        track.place(17, 20, true, a);
        track.place(20, 20, true, a);
        track.place(12, 13, false, a);
        track.place(12, 13, true, a);

        // then
        assertThat(a.holes).isEqualTo(1);
        assertThat(a.backward).isEqualTo(2);
        assertThat(track.position).isEqualTo(20);
    }

    @Test
    void moreHolesThanAreRememberedAreStillLost() {
        // given every second event missing
        Track track = new Track(0);
        Accounts accounts = new Accounts();

        // when
        for (int s = 1; s < 10_000; s += 2) {
            track.see(s, accounts);
        }

        // then
        assertThat(track.lacking(10_000)).isGreaterThanOrEqualTo(5_000);
    }
}
