package dev.tidegate.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.testsupport.ReceivedEvent;
import dev.tidegate.testsupport.TidegateClient;
import dev.tidegate.testsupport.Violation;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.IntPredicate;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.awaitility.core.ConditionTimeoutException;
import tools.jackson.databind.JsonNode;

/**
 * What became of every event of an {@link Outage}, by what its payload says of it: in the log, and at each client that has subscribed to its channel.
 *
 * <p>Lost: taken (201 or 202), or in the log, and not at a client. Doubled: shown twice to a client that drops ids it has seen. Holes: breaches of the
 * continuity rule. Live: at a client that was connected all the time, before anything was mended or
 * within a second.
 */
final class OutageReport {

    private static final long SECOND = TimeUnit.SECONDS.toNanos(1);
    private static final int TELL_AT_MOST = 5;

    /**
     * In {@link System#nanoTime()}.
     *
     * @param from since when it was broken
     * @param to until when publishing counts as during the outage
     * @param mending when mending began, not before {@code to}
     */
    record Window(long from, long to, long mending) {
        boolean has(long nanos) {
            return nanos >= from && nanos < to;
        }
    }

    private final String row;
    private final Duration length;
    private final String told;
    private final Map<String, Long> answers;
    private final List<SteadyTraffic.Taken> taken;
    private final Map<String, List<String>> log;
    private final List<String> missingInLog = new ArrayList<>();
    private final List<String> misplacedInLog = new ArrayList<>();
    private final List<String> lost = new ArrayList<>();
    private final List<String> doubled = new ArrayList<>();
    private final List<Violation> violations = new ArrayList<>();
    private final List<String> gaps = new ArrayList<>();
    private final List<Long> liveNanos = new ArrayList<>();
    private final Window window;
    private final SteadyTraffic.Taken first;
    private long twiceInLog;
    private long delivered;
    private long expectedLive;
    private long live;
    private long withinSecond;
    private long provisional;
    private long repeats;
    private long firstNanos = -1;

    /**
     * Waits until each client has what the log has, and counts.
     *
     * @param watched the clients, by number, that must get events live
     * @param told what came after the end of the outage, in words
     */
    OutageReport(
            String row,
            Duration length,
            SteadyTraffic traffic,
            Crowd crowd,
            Map<String, List<ConsumerRecord<byte[], byte[]>>> topic,
            List<String> channels,
            Window window,
            IntPredicate watched,
            String told) {
        this.row = row;
        this.length = length;
        this.told = told;
        this.window = window;
        this.answers = traffic.answers();
        this.taken = traffic.events();
        this.first = taken.stream()
                .filter(event -> window.has(event.begunNanos()))
                .min(Comparator.comparingLong(SteadyTraffic.Taken::begunNanos))
                .orElse(null); // Kafka and PostgreSQL away: nothing can be taken
        this.log = channels.stream().collect(Collectors.toMap(c -> c, c -> keys(topic.getOrDefault(c, List.of()))));
        checkLog(channels);
        Map<String, Set<String>> owed = owed(channels);
        List<TidegateClient> clients = crowd.clients();
        awaitAll(crowd, owed);
        for (int i = 0; i < clients.size(); i++) {
            for (String channel : crowd.channels(clients.get(i))) {
                count(clients.get(i), channel, owed.get(channel), watched.test(i));
            }
            violations.addAll(clients.get(i).violations());
            provisional += clients.get(i).provisional();
            repeats += clients.get(i).repeats();
        }
    }

    private static String key(String json) {
        JsonNode payload = Publisher.JSON.readTree(json);
        return payload.path("of").asString("") + "/" + payload.path("n").asInt();
    }

    /** What the log has, a repeated id once. */
    private List<String> keys(List<ConsumerRecord<byte[], byte[]>> records) {
        Set<String> ids = new HashSet<>();
        List<String> keys = new ArrayList<>();
        for (ConsumerRecord<byte[], byte[]> record : records) {
            if (ids.add(new String(record.headers().lastHeader("ce_id").value(), StandardCharsets.UTF_8))) {
                keys.add(key(new String(record.value(), StandardCharsets.UTF_8)));
            } else {
                twiceInLog++;
            }
        }
        return keys;
    }

    private void checkLog(List<String> channels) {
        Set<String> inLog = new HashSet<>();
        for (int c = 0; c < channels.size(); c++) {
            List<String> keys = log.get(channels.get(c));
            int last = -1;
            for (String key : keys) {
                if (!inLog.add(key)) {
                    doubled.add("log: " + key);
                }
                int n = Integer.parseInt(key.substring(key.lastIndexOf('/') + 1));
                if (SteadyTraffic.inOrder(c) && n < last) {
                    misplacedInLog.add(key);
                }
                last = Math.max(last, n);
            }
        }
        for (SteadyTraffic.Taken event : taken) {
            if (!inLog.contains(event.key())) {
                missingInLog.add(event.status() + " " + event.key());
            }
        }
    }

    /** What a subscriber of each channel must have had: what was taken, and what is in the log. */
    private Map<String, Set<String>> owed(List<String> channels) {
        Map<String, Set<String>> owed = new HashMap<>();
        channels.forEach(channel -> owed.put(channel, new HashSet<>(log.get(channel))));
        taken.forEach(event -> owed.get(event.channel()).add(event.key()));
        return owed;
    }

    private static void awaitAll(Crowd crowd, Map<String, Set<String>> owed) {
        try {
            await("every client has every event")
                    .atMost(Crowd.WITHIN)
                    .pollInterval(Duration.ofMillis(200))
                    .until(() -> crowd.clients().stream()
                            .allMatch(client -> crowd.channels(client).stream()
                                    .allMatch(channel -> client.eventCount(channel)
                                            >= owed.get(channel).size())));
        } catch (ConditionTimeoutException e) {
            // what is missing is counted
        }
    }

    private void count(TidegateClient client, String channel, Set<String> owed, boolean watched) {
        Map<String, ReceivedEvent> got = new HashMap<>();
        for (ReceivedEvent event : client.events(channel)) {
            String key = key(event.data());
            if (got.putIfAbsent(key, event) != null) {
                doubled.add(client.name() + ": " + key + " as " + event.id());
            }
        }
        delivered += got.size();
        for (String key : owed) {
            if (!got.containsKey(key)) {
                lost.add(client.name() + ": " + key);
            }
        }
        client.gaps(channel).forEach(gap -> gaps.add(client.name() + ": " + gap));
        if (!watched) {
            return;
        }
        for (SteadyTraffic.Taken event : taken) {
            if (event.channel().equals(channel) && window.has(event.begunNanos())) {
                expectedLive++;
                ReceivedEvent received = got.get(event.key());
                if (received != null) {
                    countLive(event, received.receivedNanos());
                }
            }
        }
    }

    private void countLive(SteadyTraffic.Taken event, long receivedNanos) {
        long latency = receivedNanos - event.begunNanos();
        if (latency <= SECOND) {
            withinSecond++;
        }
        if (event.equals(first)) {
            firstNanos = Math.max(firstNanos, latency);
        }
        if (latency <= SECOND || receivedNanos < window.mending()) {
            live++;
            liveNanos.add(latency);
        }
    }

    // ---- what a test asks ----

    /** Nothing lost, nothing doubled, nothing that a client could call a hole. */
    OutageReport assertWhole() {
        assertThat(missingInLog).as("%s: taken and not in the log", row).isEmpty();
        assertThat(misplacedInLog).as("%s: out of order in the log", row).isEmpty();
        assertThat(lost).as("%s: lost", row).isEmpty();
        assertThat(doubled).as("%s: doubled after the id check", row).isEmpty();
        assertThat(violations).as("%s: breaches of the contract", row).isEmpty();
        assertThat(gaps).as("%s: gaps", row).isEmpty();
        return this;
    }

    /** Live delivery has gone on: all but a few of what was published during the outage (some may meet its very end). */
    OutageReport assertLive() {
        assertThat(expectedLive).as("%s: deliveries expected live", row).isPositive();
        assertThat(live * 100.0 / expectedLive)
                .as("%s: percent delivered live during the outage", row)
                .isGreaterThan(95);
        return this;
    }

    /** No publisher was refused. */
    OutageReport assertTaken() {
        assertThat(answers.keySet()).as("%s: answers", row).isSubsetOf("200", "201", "202");
        return this;
    }

    long answered(String status) {
        return answers.getOrDefault(status, 0L);
    }

    long provisional() {
        return provisional;
    }

    /** From its publishing to its arrival at the last watched client: the first event of the outage. */
    Duration first() {
        return Duration.ofNanos(firstNanos);
    }

    /** The row's figures by name, for a result file. */
    Map<String, Object> figures() {
        List<Long> sorted = liveNanos.stream().sorted(Comparator.naturalOrder()).toList();
        Map<String, Object> figures = new LinkedHashMap<>();
        figures.put("outageSeconds", length.toMillis() / 1000.0);
        figures.put("answers", answers);
        figures.put("taken", taken.size());
        figures.put("takenDuringOutage", during());
        figures.put("deliveriesExpectedLive", expectedLive);
        figures.put("deliveredLive", live);
        figures.put("deliveredWithinSecond", withinSecond);
        figures.put("firstMillis", TimeUnit.NANOSECONDS.toMillis(firstNanos));
        figures.put("p50Millis", milliseconds(sorted, 0.5));
        figures.put("p99Millis", milliseconds(sorted, 0.99));
        figures.put("maxMillis", milliseconds(sorted, 1));
        figures.put("delivered", delivered);
        figures.put("lost", lost.size());
        figures.put("doubled", doubled.size());
        figures.put("holes", violations.size());
        figures.put("gaps", gaps.size());
        figures.put("missingInLog", missingInLog.size());
        figures.put("misplacedInLog", misplacedInLog.size());
        figures.put("twiceInLog", twiceInLog);
        figures.put("provisional", provisional);
        figures.put("repeatsDroppedById", repeats);
        figures.put("afterwards", told);
        return figures;
    }

    private long during() {
        return taken.stream().filter(event -> window.has(event.begunNanos())).count();
    }

    private static String milliseconds(List<Long> sorted, double quantile) {
        return sorted.isEmpty()
                ? "-"
                : Long.toString(TimeUnit.NANOSECONDS.toMillis(
                        sorted.get((int) Math.min(sorted.size() - 1, Math.floor(quantile * sorted.size())))));
    }

    private static String percent(long part, long whole) {
        return whole == 0 ? "-" : String.format(Locale.ROOT, "%.1f %%", 100.0 * part / whole);
    }

    private static String some(List<?> all) {
        return all.isEmpty()
                ? "0"
                : all.size() + " " + all.stream().limit(TELL_AT_MOST).toList();
    }

    @Override
    public String toString() {
        List<Long> sorted = liveNanos.stream().sorted(Comparator.naturalOrder()).toList();
        return String.format(
                Locale.ROOT,
                "[row] %s | outage %.1f s | answers %s | taken %d, during the outage %d | live during it %s of %d, within 1 s %s"
                        + " (first %d, p50 %s, p99 %s, max %s ms) | delivered %d | lost %s | doubled %s | breaches of the chain %s | gaps %s"
                        + " | not in the log %s, out of order there %s, twice there %d | provisional %d, repeats dropped by id %d%s",
                row,
                length.toMillis() / 1000.0,
                answers,
                taken.size(),
                during(),
                percent(live, expectedLive),
                expectedLive,
                percent(withinSecond, expectedLive),
                TimeUnit.NANOSECONDS.toMillis(firstNanos),
                milliseconds(sorted, 0.5),
                milliseconds(sorted, 0.99),
                milliseconds(sorted, 1),
                delivered,
                some(lost),
                some(doubled),
                some(violations),
                some(gaps),
                some(missingInLog),
                some(misplacedInLog),
                twiceInLog,
                provisional,
                repeats,
                told.isEmpty() ? "" : " | " + told);
    }
}
