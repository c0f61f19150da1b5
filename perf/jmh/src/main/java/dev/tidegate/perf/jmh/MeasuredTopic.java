package dev.tidegate.perf.jmh;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.tidegate.protocol.Epoch;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongFunction;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.jspecify.annotations.Nullable;

/** A fan-out topic of a run's own, deleted in the end. One thread. */
public final class MeasuredTopic implements AutoCloseable {
    private static final long WITHIN_SECONDS = 60;

    private final Admin admin;
    private final String kafka;
    private final String name;
    private final String epoch;

    /** Makes it, with one copy of each partition. */
    public MeasuredTopic(String kafka, String name, int partitions)
            throws ExecutionException, InterruptedException, TimeoutException {
        this.kafka = kafka;
        this.name = name;
        this.admin = Admin.create(Map.of("bootstrap.servers", kafka));
        var created = admin.createTopics(List.of(new NewTopic(name, partitions, (short) 1)));
        created.all().get(WITHIN_SECONDS, TimeUnit.SECONDS);
        Uuid id = created.topicId(name).get(WITHIN_SECONDS, TimeUnit.SECONDS);
        this.epoch = Epoch.of(id.getMostSignificantBits(), id.getLeastSignificantBits());
    }

    /** Its name. */
    public String name() {
        return name;
    }

    /** Its epoch. */
    public String epoch() {
        return epoch;
    }

    /** A record: its channel and its payload. */
    public record Written(String channel, byte[] payload) {}

    /** Writes {@code n} records; Kafka places them by their channels. Fails if one could not be stored. */
    public void write(long n, LongFunction<Written> record) {
        Map<String, Object> settings = Map.of(
                ProducerConfig.BOOTSTRAP_SERVERS_CONFIG,
                kafka,
                ProducerConfig.LINGER_MS_CONFIG,
                20,
                ProducerConfig.BATCH_SIZE_CONFIG,
                256 << 10);
        AtomicReference<@Nullable Exception> failure = new AtomicReference<>();
        try (KafkaProducer<byte[], byte[]> p =
                new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (long i = 0; i < n; i++) {
                Written w = record.apply(i);
                var _ = p.send(new ProducerRecord<>(name, w.channel().getBytes(US_ASCII), w.payload()), (stored, e) -> {
                    if (e != null) {
                        failure.compareAndSet(null, e);
                    }
                });
            }
        }
        Exception e = failure.get();
        if (e != null) {
            throw new IllegalStateException("a record could not be written", e);
        }
    }

    @Override
    public void close() {
        try {
            admin.deleteTopics(List.of(name)).all().get(WITHIN_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException | TimeoutException e) {
            System.err.println("topic " + name + " could not be deleted: " + e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            admin.close();
        }
    }
}
