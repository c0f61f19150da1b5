package dev.tidegate.gateway.session;

import dev.tidegate.gateway.fanout.FallbackDispatcher;
import dev.tidegate.protocol.FallbackCopy;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * Publishers whose events go over Redis too, and a Redis that delays, reorders, repeats and drops their copies. Their
 * records come to the log later than the copies, or earlier, or, of an ephemeral event, never.
 */
final class SimRedis {
    /** An event as its publisher gave it. */
    record Published(String channel, String id, String data, boolean ephemeral) {}

    private final Random random;
    private final List<byte[]> onTheWay = new ArrayList<>();
    private final List<Published> unstored = new ArrayList<>();
    private final Map<String, Published> published = new HashMap<>();
    private int serial;

    SimRedis(Random random) {
        this.random = random;
    }

    void publish(String channel) {
        boolean ephemeral = random.nextInt(8) == 0;
        String id = "r" + serial++;
        Published p = new Published(channel, id, "\"" + id + "z".repeat(random.nextInt(60)) + "\"", ephemeral);
        published.put(id, p);
        byte[] message = new FallbackCopy(
                        ephemeral,
                        channel.getBytes(StandardCharsets.UTF_8),
                        id.getBytes(StandardCharsets.UTF_8),
                        random.nextInt(4) == 0 ? "kind.b".getBytes(StandardCharsets.UTF_8) : null,
                        null,
                        null,
                        1_700_000_000_000L,
                        null,
                        null,
                        p.data().getBytes(StandardCharsets.UTF_8))
                .encode();
        for (int i = random.nextInt(4) == 0 ? random.nextInt(3) : 1; i > 0; i--) {
            onTheWay.add(message);
        }
        if (random.nextInt(30) == 0) {
            onTheWay.add(new byte[random.nextInt(40)]); // nothing of ours
        }
        if (!ephemeral) {
            unstored.add(p);
        }
    }

    /** One event comes to the log, nearly in the order of publishing; false if there is none. */
    boolean store(SimLog log) {
        if (unstored.isEmpty()) {
            return false;
        }
        log.append(unstored.remove(random.nextInt(Math.min(2, unstored.size()))));
        return true;
    }

    /** Some messages arrive, and time passes for those that have. */
    void arrive(FallbackDispatcher dispatcher, int most) throws InterruptedException {
        List<byte[]> messages = new ArrayList<>();
        for (int i = 0; i < most && !onTheWay.isEmpty(); i++) {
            byte[] m = onTheWay.remove(random.nextInt(4) == 0 ? random.nextInt(onTheWay.size()) : 0);
            if (random.nextInt(12) > 0 && dispatcher.wants(m)) {
                messages.add(m);
            }
        }
        long dueIn = dispatcher.turn(messages);
        if (dueIn <= 0) {
            throw new AssertionError("something is due after what was due");
        }
    }

    Published published(String id) {
        return published.get(id);
    }
}
