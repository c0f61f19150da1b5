package dev.tidegate.replay.kafka;

import dev.tidegate.protocol.Epoch;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.utils.Utils;

/**
 * One incarnation of the fan-out topic. A topic that is deleted and created again has another id, and so another epoch.
 *
 * @param name the topic's name
 * @param id Kafka's id of it
 * @param partitions number of partitions
 * @param epoch the epoch of its cursors
 */
public record FanoutTopic(String name, Uuid id, int partitions, String epoch) {
    static FanoutTopic of(String name, Uuid id, int partitions) {
        return new FanoutTopic(
                name, id, partitions, Epoch.of(id.getMostSignificantBits(), id.getLeastSignificantBits()));
    }

    /** The partition that this channel lives in: that of Kafka's default partitioner (murmur2). */
    public int partitionOf(byte[] channel) {
        return Utils.toPositive(Utils.murmur2(channel)) % partitions;
    }

    TopicPartition partition(int p) {
        return new TopicPartition(name, p);
    }

    List<TopicPartition> all() {
        return IntStream.range(0, partitions).mapToObj(this::partition).toList();
    }
}
