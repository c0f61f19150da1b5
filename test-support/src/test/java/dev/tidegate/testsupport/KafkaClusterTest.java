package dev.tidegate.testsupport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(600)
class KafkaClusterTest {

    private static void write(KafkaProducer<byte[], byte[]> producer, int partition)
            throws ExecutionException, InterruptedException, java.util.concurrent.TimeoutException {
        producer.send(new ProducerRecord<>("kept", partition, null, "x".getBytes(StandardCharsets.US_ASCII)))
                .get(60, TimeUnit.SECONDS);
    }

    private static KafkaProducer<byte[], byte[]> producer(String bootstrap, int deliveryMs) {
        return new KafkaProducer<>(
                Map.of(
                        "bootstrap.servers",
                        bootstrap,
                        "acks",
                        "all",
                        "linger.ms",
                        "0",
                        "request.timeout.ms",
                        "1000",
                        "max.block.ms",
                        Integer.toString(deliveryMs),
                        "delivery.timeout.ms",
                        Integer.toString(deliveryMs)),
                new ByteArraySerializer(),
                new ByteArraySerializer());
    }

    @Test
    @DisplayName("who comes by the link is sent back to the link: frozen, it stops them and nobody else")
    void link() throws Exception {
        try (KafkaCluster cluster = KafkaCluster.launch(1)) {
            // given
            cluster.awaitReady();
            try (Admin admin = Admin.create(Map.of("bootstrap.servers", cluster.bootstrap()));
                    KafkaProducer<byte[], byte[]> direct = producer(cluster.bootstrap(), 60_000)) {
                Topics.create(admin, new NewTopic("kept", 2, (short) 1));
                write(direct, 0);
                assertThat(cluster.links().getFirst().accepted()).isZero();
                // when
                cluster.links().forEach(FaultyLink::freeze);
                // then
                try (KafkaProducer<byte[], byte[]> linked = producer(cluster.linkedBootstrap(), 2_000)) {
                    assertThatThrownBy(() -> write(linked, 0)).hasStackTraceContaining("TimeoutException");
                }
                write(direct, 0);
                // and mended
                cluster.restore();
                try (KafkaProducer<byte[], byte[]> linked = producer(cluster.linkedBootstrap(), 60_000)) {
                    write(linked, 0);
                    // the topic's leader is found behind the link too, not where it listens for others
                    cluster.links().forEach(FaultyLink::freeze);
                    var held =
                            linked.send(new ProducerRecord<>("kept", 1, null, "x".getBytes(StandardCharsets.US_ASCII)));
                    write(direct, 1);
                    assertThat(held).isNotDone();
                    cluster.links().forEach(FaultyLink::thaw);
                    assertThat(held.get(60, TimeUnit.SECONDS).partition()).isEqualTo(1);
                }
            }
        }
    }
}
