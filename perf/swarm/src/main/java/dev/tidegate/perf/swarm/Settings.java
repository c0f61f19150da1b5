package dev.tidegate.perf.swarm;

import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * What a run does. Immutable; the children get the same as their parent.
 *
 * @param name of the run, part of the result's file name
 * @param seed of everything drawn by chance: order of channels, masks, jitter
 * @param run tells this run's channels from those of other runs on the same topic
 * @param pids processes to sample: name and process id
 * @param inspect names of those of them that are JVMs to be asked for their heap and allocation (attaches to them)
 * @param results folder of results; empty for none
 */
record Settings(
        Scenario scenario,
        String name,
        long seed,
        String run,
        Load load,
        Publishing publishing,
        Disturbance disturbance,
        Rules rules,
        List<Pid> pids,
        List<String> inspect,
        String results) {

    /** What happens while events are published. */
    enum Scenario {
        /** Connections that get nothing: memory. */
        IDLE,
        /** Every connection on one channel. */
        FANOUT,
        /** Many channels, each event to the few connections of one. */
        SPARSE,
        /** All connections are cut at once, and come back with {@code after}. */
        STORM,
        /** A share of the connections stops reading for a while. */
        SLOW
    }

    /** How events are published. */
    enum Way {
        KAFKA,
        HTTP,
        NONE
    }

    /** How sockets are driven; AUTO is epoll where there is one, else NIO. */
    enum Transport {
        AUTO,
        IO_URING,
        EPOLL,
        NIO
    }

    /** A server. */
    record Address(String host, int port) {
        static Address parse(String name, String text) {
            int colon = text.lastIndexOf(':');
            try {
                int port = Integer.parseInt(text.substring(colon + 1));
                if (colon > 0 && port > 0 && port < 65536) {
                    return new Address(text.substring(0, colon), port);
                }
            } catch (NumberFormatException e) {
                // told below
            }
            throw new Arguments.Wrong("--" + name + ": " + text + " (expected: host:port)");
        }
    }

    /** A process to sample. */
    record Pid(String name, long pid) {}

    /**
     * The connections.
     *
     * @param channels number of channels; connection i has channels i*perConnection … modulo this
     * @param connectRate connections opened per second, over all children
     * @param inFlight most handshakes under way, per child
     * @param sources number of local addresses 127.0.0.x connected from; 0 = the system's choice
     * @param perProcess most connections of one child (a process has a bounded number of descriptors)
     * @param napMs a child's loop waits so long before it looks for input: it is then woken for many frames at once, which
     *     leaves more of a shared processor to the server and costs up to as much latency
     * @param reconnect whether a connection closed by the server comes back; else a close is a fault
     * @param token bearer token of every connection
     * @param hs256 secret with which the swarm signs a token of its own for each connection
     */
    record Load(
            int connections,
            int channels,
            int perConnection,
            List<Address> gateways,
            String path,
            double connectRate,
            int inFlight,
            int sources,
            int perProcess,
            Transport transport,
            int napMs,
            boolean reconnect,
            @Nullable String token,
            @Nullable String hs256) {}

    /**
     * The publisher.
     *
     * @param lanes requests under way at once over HTTP; a channel keeps to its lane, so its order is kept
     * @param rate events per second over all channels
     * @param duration seconds
     * @param warmup seconds of publishing before anything is measured
     * @param size of a payload in bytes
     * @param ids whether records carry an id of ours ({@code ce_id}), which every delivery must then have
     * @param lingerMs of the Kafka producer
     */
    record Publishing(
            Way way,
            String kafka,
            String topic,
            String ingest,
            int lanes,
            double rate,
            double duration,
            double warmup,
            int size,
            boolean ids,
            int lingerMs) {}

    /**
     * What is done to the connections.
     *
     * @param at seconds after the start of publishing
     * @param away milliseconds between the cut and the first connection that comes back
     * @param awayEvents events published to each channel while the connections are away, beside the steady rate
     * @param rate connections per second that come back, over all children
     * @param gateways where they come back to
     * @param kill process that is killed (SIGKILL) instead of closing the connections; 0 = none
     * @param slowShare share of the connections that stop reading
     * @param slowFor seconds for which they do
     */
    record Disturbance(
            double at,
            int away,
            int awayEvents,
            double rate,
            List<Address> gateways,
            long kill,
            double slowShare,
            double slowFor) {}

    /**
     * What counts as exact.
     *
     * @param allowRepeats whether an event may come again (a client drops it by its id): true where Redis delivers too
     * @param allowGaps whether gaps may be told
     * @param drain seconds after the last event until which everything must have come
     */
    record Rules(boolean allowRepeats, boolean allowGaps, double drain) {}

    static final String USAGE = """
            usage: swarm idle|fanout|sparse|storm|slow [--name value]...
              connections  --connections 100  --channels (by scenario)  --per-connection 1  --gateway 127.0.0.1:8080[,...]  --path /v1/ws
                           --connect-rate 1000  --in-flight 200  --sources 8  --per-process 19000  --transport auto|epoll|io_uring|nio
                           --nap-ms 0  --reconnect  --token JWT  --hs256 SECRET
              publishing   --publish kafka|http|none  --kafka 127.0.0.1:9092  --topic fanout  --ingest http://127.0.0.1:8081  --lanes 8
                           --rate 20  --duration 8  --warmup 0  --size 128  --ids  --linger-ms 0
              storm        --at 2  --away-ms 1000  --away-events 0  --storm-rate (connect rate)  --storm-gateway (gateway)  --kill PID
              slow         --at 2  --slow-share 0.2  --slow-for 10
              accounting   --allow-repeats  --allow-gaps  --drain 30
              measuring    --pid gateway=PID --pid kafka=PID ...  --inspect gateway  --name NAME  --results perf/results | none  --seed N
            exit code: 0 exact, 1 not exact, 2 wrong command line, 3 could not be run
            """;

    static Settings parse(List<String> words) {
        if (words.isEmpty()) {
            throw new Arguments.Wrong("a scenario is missing (expected: idle, fanout, sparse, storm, slow)");
        }
        Scenario scenario = Arguments.parse("scenario", words.getFirst(), Scenario.class);
        Arguments a = new Arguments(words.subList(1, words.size()));
        long seed = a.whole("seed", System.nanoTime() & 0xffffffffL);
        Load load = load(a, scenario);
        Publishing publishing = publishing(a, scenario);
        Settings s = new Settings(
                scenario,
                a.text("name", scenario.name().toLowerCase(Locale.ROOT)),
                seed,
                Long.toString(System.currentTimeMillis(), 36),
                load,
                publishing,
                disturbance(a, load),
                new Rules(a.flag("allow-repeats"), a.flag("allow-gaps"), a.decimal("drain", 30, 0, 3600)),
                a.all("pid", "").stream().map(Settings::pid).toList(),
                a.all("inspect", ""),
                a.text("results", "perf/results"));
        a.done();
        if (load.perConnection() > load.channels()) {
            throw new Arguments.Wrong("--per-connection: " + load.perConnection() + " (expected: at most the "
                    + load.channels() + " channels)");
        }
        for (String name : s.inspect()) {
            if (s.pids().stream().noneMatch(p -> p.name().equals(name))) {
                throw new Arguments.Wrong("--inspect: " + name + " (expected: the name of a --pid)");
            }
        }
        return s;
    }

    private static Load load(Arguments a, Scenario scenario) {
        int connections = a.integer("connections", 100, 1, 10_000_000);
        int channels = switch (scenario) {
            case FANOUT -> 1;
            case IDLE, SPARSE -> connections;
            case STORM, SLOW -> Math.min(connections, 50);
        };
        return new Load(
                connections,
                a.integer("channels", channels, 1, 10_000_000),
                a.integer("per-connection", 1, 1, 1000),
                a.all("gateway", "127.0.0.1:8080").stream()
                        .map(g -> Address.parse("gateway", g))
                        .toList(),
                a.text("path", "/v1/ws"),
                a.decimal("connect-rate", 1000, 1, 1_000_000),
                a.integer("in-flight", 200, 1, 100_000),
                a.integer("sources", 8, 0, 250),
                a.integer("per-process", 19_000, 1, 1_000_000),
                a.one("transport", Transport.AUTO, Transport.class),
                a.integer("nap-ms", 0, 0, 1000),
                a.flag("reconnect") || scenario == Scenario.STORM || scenario == Scenario.SLOW,
                orNull(a.text("token", "")),
                orNull(a.text("hs256", "")));
    }

    private static Publishing publishing(Arguments a, Scenario scenario) {
        return new Publishing(
                a.one("publish", scenario == Scenario.IDLE ? Way.NONE : Way.KAFKA, Way.class),
                a.text("kafka", "127.0.0.1:9092"),
                a.text("topic", "fanout"),
                a.text("ingest", "http://127.0.0.1:8081"),
                a.integer("lanes", 8, 1, 1000),
                a.decimal("rate", 20, 0.01, 1_000_000),
                a.decimal("duration", 8, 0, 86_400),
                a.decimal("warmup", 0, 0, 3600),
                a.integer("size", 128, Marker.MIN_SIZE, 1 << 20),
                a.flag("ids"),
                a.integer("linger-ms", 0, 0, 1000));
    }

    private static Disturbance disturbance(Arguments a, Load load) {
        List<Address> gateways = a.all("storm-gateway", "").stream()
                .map(g -> Address.parse("storm-gateway", g))
                .toList();
        return new Disturbance(
                a.decimal("at", 2, 0, 86_400),
                a.integer("away-ms", 1000, 0, 3_600_000),
                a.integer("away-events", 0, 0, 1_000_000),
                a.decimal("storm-rate", load.connectRate(), 1, 1_000_000),
                gateways.isEmpty() ? load.gateways() : gateways,
                a.whole("kill", 0),
                a.decimal("slow-share", 0.2, 0, 1),
                a.decimal("slow-for", 10, 0, 3600));
    }

    private static Pid pid(String text) {
        int eq = text.indexOf('=');
        try {
            return new Pid(eq > 0 ? text.substring(0, eq) : "process", Long.parseLong(text.substring(eq + 1)));
        } catch (NumberFormatException e) {
            throw new Arguments.Wrong("--pid: " + text + " (expected: name=process id)");
        }
    }

    private static @Nullable String orNull(String s) {
        return s.isEmpty() ? null : s;
    }

    /** As it may be published. */
    Settings withoutSecrets() {
        Load l = load;
        Load published = new Load(
                l.connections(),
                l.channels(),
                l.perConnection(),
                l.gateways(),
                l.path(),
                l.connectRate(),
                l.inFlight(),
                l.sources(),
                l.perProcess(),
                l.transport(),
                l.napMs(),
                l.reconnect(),
                l.token() == null ? null : "given",
                l.hs256() == null ? null : "given");
        String folder = Path.of(results).isAbsolute() ? "elsewhere" : results; // no result names a machine's folders
        return new Settings(
                scenario, name, seed, run, published, publishing, disturbance, rules, pids, inspect, folder);
    }

    /** The name of a channel. */
    String channelName(int channel) {
        return "swarm-" + run + "-" + channel;
    }

    /** The id of an event, where ids are given. */
    String eventId(int channel, int sequence) {
        return run + "." + channel + "." + sequence;
    }

    /** Whether connection i is one of those that stop reading. */
    boolean isSlow(int connection) {
        if (scenario != Scenario.SLOW) {
            return false;
        }
        // Spread evenly, so that every channel and every child has its share.
        double share = disturbance.slowShare();
        return Math.floor((connection + 1) * share) > Math.floor(connection * share);
    }
}
