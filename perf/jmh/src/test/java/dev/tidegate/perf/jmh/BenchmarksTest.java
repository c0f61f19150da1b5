package dev.tidegate.perf.jmh;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.replay.recent.RecentReader;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** That the benchmarks do what they say they measure: one that measures nothing is fast. */
class BenchmarksTest {
    @Test
    void aBroadcastReachesEverySubscriberInOneMessage() throws Exception {
        // given
        ShardBenchmark benchmark = new ShardBenchmark();
        benchmark.events = 5;
        benchmark.prepare();
        long[][] before = new long[ShardBenchmark.SUBSCRIBERS][];
        for (int i = 0; i < before.length; i++) {
            before[i] = benchmark.receivedBy(i);
        }

        // when
        benchmark.broadcast();
        benchmark.broadcast();

        // then each got two messages of five frames with payloads of 128 bytes
        for (int i = 0; i < before.length; i++) {
            long[] after = benchmark.receivedBy(i);
            assertThat(after[0] - before[i][0]).as("messages of " + i).isEqualTo(2);
            assertThat(after[1] - before[i][1]).as("bytes of " + i).isBetween(2 * 5 * 200L, 2 * 5 * 300L);
        }
        assertThat(benchmark.onlyWalking()).isEqualTo(ShardBenchmark.SUBSCRIBERS);
    }

    @Test
    void theDispatcherPassesOverWhatNobodyWantsAndHandsOnWhatSomebodyDoes() throws Exception {
        // given
        DispatcherBenchmark benchmark = new DispatcherBenchmark();
        benchmark.prepare();

        // when, then
        benchmark.uninteresting();
        assertThat(benchmark.bytesHandedOn()).isZero();
        benchmark.interesting();
        assertThat(benchmark.bytesHandedOn()).isBetween(500 * 200L, 500 * 300L);
        assertThat(benchmark.onlyCounting()).isEqualTo(500 * 100L);
    }

    @ParameterizedTest
    @ValueSource(strings = {"string", "objects", "text", "binary"})
    void everyKindOfPayloadIsAnEventAndEncoded(String payload) {
        // given
        EncoderBenchmark benchmark = new EncoderBenchmark();
        benchmark.size = 1024;
        benchmark.payload = payload;
        benchmark.prepare();

        // when, then
        assertThat(benchmark.check()).isTrue();
        assertThat(benchmark.encode()).isGreaterThan(1000);
        assertThat(benchmark.webSocketFrame()).isEqualTo(benchmark.encode() + 4);
    }

    @ParameterizedTest
    @ValueSource(strings = {"orders", "noise"})
    void compressionMakesOfAFrameWhatItSays(String payload) {
        // given
        DeflateBenchmark benchmark = new DeflateBenchmark();
        benchmark.size = 1024;
        benchmark.payload = payload;
        benchmark.prepare();

        // when, then
        assertThat(benchmark.plain()).isBetween(1100, 1300);
        assertThat(benchmark.deflated()).isBetween(200, payload.equals("orders") ? 600 : 1000);
    }

    @Test
    void theRecentLogFindsTwentyEventsOrNothing() {
        // given
        RecentLogBenchmark benchmark = new RecentLogBenchmark();
        benchmark.later = 10_000;
        benchmark.prepare();

        // when, then
        RecentLogBenchmark.Kept kept = new RecentLogBenchmark.Kept();
        assertThat(benchmark.missedEvents(kept)).isPositive();
        assertThat((double) kept.keptBytes / kept.keptRecords).isBetween(100.0 + 56, 300.0);
        for (int i = 0; i < 600; i++) { // each client has its twenty
            assertThat(benchmark.missedEventsOfAnother()).isPositive();
        }
        RecentLogBenchmark.Plain plain = new RecentLogBenchmark.Plain();
        plain.prepare(benchmark);
        assertThat(benchmark.onlyTouching(plain)).isNotZero();
        assertThat(benchmark.nothingNew()).isEqualTo(RecentReader.Outcome.NOTHING);
        benchmark.append();
    }

    @Test
    void theWriterOfARecentLogWritesAndItsReadersFetch() {
        // given
        RecentLogWriterBenchmark benchmark = new RecentLogWriterBenchmark();
        benchmark.prepare();
        RecentLogWriterBenchmark.Writer writer = new RecentLogWriterBenchmark.Writer();
        RecentLogWriterBenchmark.Reader reader = new RecentLogWriterBenchmark.Reader();
        reader.prepare(benchmark);

        // when
        benchmark.appendAlone(writer);
        benchmark.appendBeside(writer);

        // then
        assertThat(benchmark.fetch(reader)).isPositive();
        assertThat(reader.fetched).isEqualTo(1);
        assertThat(writer.records).isEqualTo(2_000);
        assertThat(writer.cpuNanos).isPositive();
    }
}
