package dev.tidegate.replay.recent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.FanoutRecord;
import dev.tidegate.replay.recent.RecentReader.Outcome;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class RecentLogTest {
    private static final int PAYLOAD = 100;

    private final RingMemory ring = RingMemory.of(1 << 20, RecentLog.maxRecordBytes(PAYLOAD));
    private final RecentLog log = new RecentLog(ring, 2);
    private final RecentReader reader = log.reader();
    private final FanoutRecord record = new FanoutRecord();

    @Test
    void coversWhatCameSinceItsStartAndNothingBefore() {
        // given
        log.startAt(0, 100);
        append(0, 105, "news");
        log.advance(0, 110);

        // when, then
        assertThat(find("news", 99, 110)).isEqualTo(Outcome.EVENTS);
        assertThat(offsets()).containsExactly(105L);
        assertThat(find("quiet", 99, 110)).isEqualTo(Outcome.NOTHING);
        assertThat(find("news", 98, 110)).isEqualTo(Outcome.NOT_COVERED);
        assertThat(reader.coveredAfter()).isEqualTo(99);
        assertThat(find("quiet", 50, 110)).isEqualTo(Outcome.NOT_COVERED);
        assertThat(reader.coveredAfter()).isEqualTo(99);
    }

    @Test
    void aChannelWhoseNewestRecordIsKeptIsKnownHoweverOldTheCursor() {
        // given: a ring turned over by one busy channel while another has one recent event
        log.startAt(0, 0);
        append(0, 0, "sparse");
        long offset = 1;
        while (log.firstKept(0) == 0) {
            append(0, offset++, "busy");
        }
        append(0, offset, "sparse");
        append(0, offset + 1, "sparse");
        log.advance(0, offset + 1);

        // when, then: its first event is gone, but nothing came between what is kept and the cursor
        assertThat(find("sparse", offset, offset + 1)).isEqualTo(Outcome.EVENTS);
        assertThat(offsets()).containsExactly(offset + 1);
        assertThat(find("sparse", offset + 1, offset + 1)).isEqualTo(Outcome.NOTHING);
        assertThat(find("sparse", -1, offset + 1)).isEqualTo(Outcome.NOT_COVERED);
        assertThat(find("busy", offset - 1, offset + 1)).isEqualTo(Outcome.NOTHING);
    }

    @Test
    void anIdlePartitionKeepsNothingFromABusyOne() {
        // given
        log.startAt(0, 0);
        log.startAt(1, 0);
        append(1, 0, "idle");
        log.advance(1, 0);

        // when
        for (long offset = 0; log.firstKept(1) == 0; offset++) {
            append(0, offset, "busy");
            log.advance(0, offset);
        }

        // then
        assertThat(log.firstKept(1)).isEqualTo(1);
        assertThat(log.usage().bytes()).isBetween(ring.capacity() * 9 / 10, ring.capacity());
        assertThat(reader.find(key("idle"), 1, 0, 0, 10)).isEqualTo(Outcome.NOTHING);
    }

    @Test
    void theFirstPageOfALongChainIsFoundInAFewSteps() {
        // given: 4,000 events of one channel
        log.startAt(0, 0);
        for (long offset = 0; offset < 4_000; offset++) {
            append(0, offset, "long");
        }
        log.advance(0, 3_999);
        long kept = log.firstKept(0);

        // when
        assertThat(reader.find(key("long"), 0, kept - 1, 3_999, 3)).isEqualTo(Outcome.EVENTS);

        // then
        assertThat(offsets()).containsExactly(kept, kept + 1, kept + 2);
        assertThat(reader.more()).isTrue();
        assertThat(reader.visits()).isLessThan(100);
    }

    @Test
    void channelsThatFellOutLeaveTheTable() {
        // given
        log.startAt(0, 0);

        // when: far more channels than the ring holds
        for (long offset = 0; offset < 200_000; offset++) {
            append(0, offset, "once-" + offset);
        }
        log.advance(0, 199_999);

        // then
        assertThat((long) log.usage().channels())
                .isEqualTo(log.usage().records())
                .isLessThan(10_000);
        assertThat(log.usage().tableBytes()).isLessThan(16 * 10 * log.usage().records());
        assertThat(log.usage().records() + log.usage().evicted()).isEqualTo(200_000);
    }

    @Test
    void aBudgetThatCannotHoldTheLargestRecordIsRefused() {
        assertThatThrownBy(() -> RingMemory.of(1 << 20, 1 << 20))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("1048576 bytes (expected: 2097152 to");
    }

    private Outcome find(String channel, long after, long upTo) {
        return reader.find(key(channel), 0, after, upTo, 1_000);
    }

    private List<Long> offsets() {
        List<Long> offsets = new ArrayList<>();
        for (int i = 0; i < reader.count(); i++) {
            assertThat(reader.load(i)).isTrue();
            offsets.add(reader.offset());
        }
        return offsets;
    }

    private void append(int partition, long offset, String channel) {
        byte[] payload = ("\"" + "x".repeat(PAYLOAD - 2) + "\"").getBytes(StandardCharsets.UTF_8);
        log.append(partition, offset, record.wrap(key(channel).bytes(), payload, 1));
    }

    private static ChannelKey key(String channel) {
        return ChannelKey.of(new ChannelName(channel));
    }
}
