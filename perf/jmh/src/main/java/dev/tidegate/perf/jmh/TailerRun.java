package dev.tidegate.perf.jmh;

import com.sun.management.ThreadMXBean;
import dev.tidegate.gateway.backplane.KafkaTailer;
import dev.tidegate.gateway.fanout.FanoutDispatcher;
import dev.tidegate.gateway.fanout.LoopBatch;
import dev.tidegate.gateway.fanout.ShardInbox;
import dev.tidegate.gateway.fanout.Tail;
import dev.tidegate.gateway.metrics.GatewayMetrics;
import dev.tidegate.perf.report.Provenance;
import dev.tidegate.perf.report.ResultFile;
import dev.tidegate.protocol.Gap;
import io.netty.buffer.ByteBufAllocator;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.jspecify.annotations.Nullable;

/**
 * How many records that nobody here wants a core takes per second through tailer and dispatcher, beside a bare
 * {@link KafkaConsumer} loop that only counts. Both read the same new topic of a running Kafka at the same time, each in its own
 * thread, while a third writes it; what counts is the processor time and the allocation of the two reading threads, so that
 * neither the writer nor the other reader is in a figure. {@code TailerRun [--kafka 127.0.0.1:9092] [--records 1000000] [--name …]
 * [--results …]}.
 */
public final class TailerRun {
    private static final int PARTITIONS = 16;
    private static final int CHANNELS = 5_000;
    private static final int PAYLOAD = 100;
    private static final long TIMEOUT_SECONDS = 300;
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    /** A reader's figures. */
    record Figure(String reader, double recordsPerCoreSecond, double nanosPerRecord, double bytesPerRecord) {}

    /** What is written. */
    record Run(
            String tool,
            String scenario,
            String name,
            Provenance provenance,
            long records,
            List<Figure> readers,
            double ratio) {}

    private final String kafka;
    private final long records;
    private final String topicName = "perf-tail-" + Long.toString(System.currentTimeMillis(), 36);
    private final GatewayMetrics metrics = new GatewayMetrics();
    private volatile long counted;
    private volatile boolean stopped;
    private @Nullable Thread bare;

    private TailerRun(String kafka, long records) {
        this.kafka = kafka;
        this.records = records;
    }

    public static void main(String[] arguments) throws Exception {
        String kafka = "127.0.0.1:9092";
        long records = 1_000_000;
        String name = "tail";
        String results = "perf/results";
        for (int i = 0; i + 1 < arguments.length; i += 2) {
            switch (arguments[i]) {
                case "--kafka" -> kafka = arguments[i + 1];
                case "--records" -> records = Long.parseLong(arguments[i + 1]);
                case "--name" -> name = arguments[i + 1];
                case "--results" -> results = arguments[i + 1];
                default -> {
                    System.err.println("tail: " + arguments[i] + " (expected: --kafka, --records, --name, --results)");
                    System.exit(2);
                }
            }
        }
        new TailerRun(kafka, records).run(name, results);
    }

    private void run(String name, String results)
            throws IOException, InterruptedException, ExecutionException, TimeoutException {
        try (MeasuredTopic topic = new MeasuredTopic(kafka, topicName, PARTITIONS)) {
            try {
                measure(topic, name, results);
            } finally {
                stopped = true;
                if (bare != null) {
                    bare.join(5_000); // before its topic goes
                }
            }
        }
    }

    private void measure(MeasuredTopic topic, String name, String results)
            throws IOException, InterruptedException, TimeoutException {
        bare = Thread.ofPlatform().name("bare-loop").daemon().start(this::onlyCount);
        FanoutDispatcher dispatcher =
                new FanoutDispatcher(List.of(new Nobody()), ByteBufAllocator.DEFAULT, 65_536, metrics);
        try (KafkaTailer tailer = new KafkaTailer(
                KafkaTailer.Settings.of(kafka, topicName, List.of(), Duration.ZERO, Duration.ZERO), dispatcher)) {
            tailer.start();
            await("the tailer", () -> tailer.state() == KafkaTailer.State.TAILING && dispatcher.tail() != null);
            Tail tail = dispatcher.tail();
            for (int i = 0; tail != null && i < CHANNELS; i++) {
                var _ = tail.join(Records.channel("wanted-", i), 0, false);
            }
            Thread tailing = threadNamed("kafka-tailer");
            long warm = Math.max(records / 4, 50_000);
            produce(topic, warm);
            await("the warm-up", () -> counted == warm && metrics.recordsRead.sum() == warm);
            Meter bareMeter = new Meter(bare);
            Meter tailMeter = new Meter(tailing);
            produce(topic, records);
            await("the records", () -> counted == warm + records && metrics.recordsRead.sum() == warm + records);
            Figure bareFigure = bareMeter.figure("KafkaConsumer, only counting", records);
            Figure tailFigure = tailMeter.figure("tailer and dispatcher", records);
            double ratio = tailFigure.recordsPerCoreSecond() / bareFigure.recordsPerCoreSecond();
            Run run = new Run("tail", "tail", name, Provenance.now(), records, List.of(bareFigure, tailFigure), ratio);
            run.readers().forEach(System.out::println);
            System.out.println("ratio: " + Math.round(ratio * 1000) / 1000.0);
            if (!results.equals("none")) {
                System.out.println("result: " + ResultFile.write(Path.of(results), name, run));
            }
        }
    }

    /** The yardstick, with the tailer's consumer settings. */
    private void onlyCount() {
        Map<String, Object> settings = Map.of(
                ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG,
                kafka,
                ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG,
                ByteArrayDeserializer.class,
                ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG,
                ByteArrayDeserializer.class,
                ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG,
                false,
                ConsumerConfig.ISOLATION_LEVEL_CONFIG,
                "read_committed",
                ConsumerConfig.MAX_POLL_RECORDS_CONFIG,
                4000,
                ConsumerConfig.FETCH_MAX_BYTES_CONFIG,
                16 << 20,
                ConsumerConfig.FETCH_MIN_BYTES_CONFIG,
                1);
        List<TopicPartition> partitions = IntStream.range(0, PARTITIONS)
                .mapToObj(p -> new TopicPartition(topicName, p))
                .toList();
        try (KafkaConsumer<byte[], byte[]> c = new KafkaConsumer<>(settings)) {
            c.assign(partitions);
            c.seekToBeginning(partitions);
            long n = 0;
            while (!stopped) {
                for (ConsumerRecord<byte[], byte[]> r : c.poll(Duration.ofMillis(250))) {
                    n += r.value().length == PAYLOAD ? 1 : 0;
                }
                counted = n;
            }
        }
    }

    private static void produce(MeasuredTopic topic, long n) {
        byte[] payload = Records.payload(PAYLOAD);
        Random random = new Random(42);
        topic.write(n, i -> new MeasuredTopic.Written("other-" + random.nextInt(CHANNELS), payload));
    }

    private static Thread threadNamed(String name) {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(t -> t.getName().equals(name))
                .findFirst()
                .orElseThrow(() -> new IllegalStateException("no thread is called " + name));
    }

    private static void await(String what, BooleanSupplier condition) throws InterruptedException, TimeoutException {
        long deadline = System.nanoTime() + TIMEOUT_SECONDS * 1_000_000_000L;
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > deadline) {
                throw new TimeoutException("waited " + TIMEOUT_SECONDS + " s for " + what);
            }
            Thread.sleep(20);
        }
    }

    /** A thread's processor time and allocation from here on. */
    private static final class Meter {
        private final long id;
        private final long nanos;
        private final long bytes;

        Meter(Thread thread) {
            id = thread.threadId();
            nanos = THREADS.getThreadCpuTime(id);
            bytes = THREADS.getThreadAllocatedBytes(id);
        }

        Figure figure(String reader, long records) {
            double used = THREADS.getThreadCpuTime(id) - nanos;
            double allocated = THREADS.getThreadAllocatedBytes(id) - bytes;
            return new Figure(reader, records / (used / 1e9), used / records, allocated / records);
        }
    }

    /** The loop of a gateway whose subscribers want other channels. */
    private static final class Nobody implements ShardInbox {
        @Override
        public void offer(LoopBatch batch) {
            batch.release();
            throw new IllegalStateException("somebody wants a record that nobody should want");
        }

        @Override
        public void moveTo(Tail tail, CountDownLatch done) {
            done.countDown();
        }

        @Override
        public void skip(Tail tail, int partition, long position, Gap.Reason reason, CountDownLatch done) {
            done.countDown();
        }
    }
}
