package dev.tidegate.ingest.spool;

import dev.tidegate.ingest.config.FanoutSettings;
import dev.tidegate.ingest.config.PostgresSettings;
import dev.tidegate.ingest.config.SpoolSettings;
import dev.tidegate.ingest.delivery.Deliveries;
import dev.tidegate.ingest.delivery.SpoolQueue;
import dev.tidegate.ingest.publish.Event;
import dev.tidegate.ingest.relay.Relay;
import dev.tidegate.ingest.relay.RelayTable;
import dev.tidegate.postgres.PostgresServer;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;

/**
 * The parts of the spool and how they are put together: the writer is there first, since deliveries need it; the watch and
 * the relay need the deliveries. Where there shall be no spool, its queue keeps nothing.
 */
public final class Spooling implements AutoCloseable {
    private final SpoolDepth depth;
    private final @Nullable SpoolContext context;
    private final @Nullable SpoolWriter writer;
    private @Nullable SpoolWatch watch;
    private @Nullable Relay relay;

    /** Not yet started. */
    public Spooling(PostgresSettings postgres, SpoolSettings settings, FanoutSettings fanout, MeterRegistry meters) {
        this.depth = new SpoolDepth(settings);
        PostgresServer server = settings.enabled() ? postgres.server() : null;
        this.context = server == null
                ? null
                : new SpoolContext(server, postgres, settings, new Floor(fanout.topic()), depth, new AtomicBoolean());
        this.writer = context == null ? null : new SpoolWriter(context, meters);
        Gauge.builder("tidegate.ingest.spool.depth", depth, SpoolDepth::rows)
                .description("Events in the spool of the topic, as counted last")
                .register(meters);
        Gauge.builder("tidegate.ingest.spool.size", depth, SpoolDepth::bytes)
                .description("Bytes they count for")
                .baseUnit("bytes")
                .register(meters);
        Gauge.builder("tidegate.ingest.spool.oldest", depth, SpoolDepth::oldestSeconds)
                .description("Age of the oldest of them")
                .baseUnit("seconds")
                .register(meters);
        Gauge.builder("tidegate.ingest.spool.faulty", depth, SpoolDepth::faulty)
                .description("Events in the spool that can never be relayed")
                .register(meters);
        Gauge.builder("tidegate.ingest.spool.unreadable", depth, SpoolDepth::unreadable)
                .description("Events in the spool that this version cannot read; each holds up its channel")
                .register(meters);
        Gauge.builder("tidegate.ingest.spool.held", depth, SpoolDepth::held)
                .description("Events in the spool that are held up: the unreadable ones and what follows them")
                .register(meters);
        Gauge.builder("tidegate.ingest.spool.available", this, s -> s.queue().usable() ? 1 : 0)
                .description("1 while an event could be spooled")
                .register(meters);
    }

    /** Where deliveries keep events. */
    public SpoolQueue queue() {
        return writer == null ? Nothing.INSTANCE : writer;
    }

    /**
     * Starts all of it.
     *
     * @param relays makes the relay of a table
     */
    public void start(Deliveries deliveries, BiFunction<RelayTable, Relay.Surroundings, Relay> relays) {
        if (context == null || writer == null) {
            deliveries.spoolAway();
            return;
        }
        Around around = new Around(deliveries);
        Relay r = relays.apply(new SpoolTable(context), around);
        SpoolWatch w = new SpoolWatch(context, deliveries, r::wake);
        around.watch = w;
        deliveries.onChange(r::wake);
        relay = r;
        watch = w;
        writer.start();
        w.start();
        r.start();
    }

    /** For people. */
    public String detail() {
        SpoolWatch w = watch;
        return w == null ? "there is none (tidegate.postgres.url, tidegate.ingest.spool.enabled)" : w.detail();
    }

    /** What is in it. */
    public SpoolDepth depth() {
        return depth;
    }

    @Override
    public void close() {
        if (relay != null) {
            relay.close();
        }
        if (watch != null) {
            watch.close();
        }
        if (writer != null) {
            writer.close();
        }
    }

    /** What the relay sees and tells. */
    private static final class Around implements Relay.Surroundings {
        private final Deliveries deliveries;
        private volatile @Nullable SpoolWatch watch;

        Around(Deliveries deliveries) {
            this.deliveries = deliveries;
        }

        @Override
        public boolean mayRelay() {
            return deliveries.mayRelay();
        }

        @Override
        public boolean mayHaveRows() {
            SpoolWatch w = watch;
            return w != null && w.busy();
        }

        @Override
        public void failed(String why) {
            deliveries.relayFailed(why);
        }

        @Override
        public void relayed() {
            deliveries.relayed();
        }

        @Override
        public void empty() {
            SpoolWatch w = watch;
            if (w != null && w.busy()) {
                w.look();
            }
        }
    }

    /** Where there is no spool. */
    private enum Nothing implements SpoolQueue {
        INSTANCE;

        @Override
        public CompletableFuture<Kept> keep(Event event, long millis, boolean doubtful) {
            return CompletableFuture.completedFuture(Kept.AWAY);
        }

        @Override
        public boolean roomBehindHeld() {
            return false;
        }

        @Override
        public boolean usable() {
            return false;
        }
    }
}
