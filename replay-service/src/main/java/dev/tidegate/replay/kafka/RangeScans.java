package dev.tidegate.replay.kafka;

import dev.tidegate.replay.config.ReplaySettings;
import dev.tidegate.replay.metrics.ReplayMetrics;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import reactor.core.Disposable;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;

/**
 * Reads ranges of the topic that memory does not hold. Requests for one partition whose ranges lie near each other share one
 * sequential read; so many reads at most are under way, and who comes first is served first, with all that can ride along. A scan
 * lasts so long at most that everybody has a turn; whoever is not done then asks again, at the end of the queue.
 */
public final class RangeScans implements AutoCloseable {
    private static final long TICK_MILLIS = 50;

    /** Requests that arrive together shall share: so long a scan waits for others before it opens its consumer. */
    private static final long GATHER_MILLIS = 5;

    private final KafkaClients clients;
    private final ReplaySettings.Scan settings;
    private final int maxPayloadBytes;
    private final ReplayMetrics metrics;
    private final AtomicLong buffered = new AtomicLong();
    private final AtomicInteger number = new AtomicInteger();
    private final Scheduler opening; // opening a consumer blocks for some milliseconds
    private final Disposable timer;

    private final ArrayDeque<ScanTicket> waiting = new ArrayDeque<>(); // guarded by this; bounded by settings.queue
    private final List<RangeScan> active = new ArrayList<>(); // guarded by this; bounded by settings.concurrent
    private boolean closed; // guarded by this

    public RangeScans(KafkaClients clients, ReplaySettings.Scan settings, int maxPayloadBytes, ReplayMetrics metrics) {
        this.clients = clients;
        this.settings = settings;
        this.maxPayloadBytes = maxPayloadBytes;
        this.metrics = metrics;
        this.opening = Schedulers.newBoundedElastic(settings.concurrent(), settings.concurrent(), "replay-scan-open");
        this.timer =
                Schedulers.parallel().schedulePeriodically(this::tick, TICK_MILLIS, TICK_MILLIS, TimeUnit.MILLISECONDS);
    }

    /** Asks for a scan; what comes of it is told by the ticket. */
    public ScanTicket submit(ScanTicket.Wanted wanted) {
        ScanTicket ticket = new ScanTicket(wanted, buffered, settings.buffers().toBytes());
        String refusal = null;
        synchronized (this) {
            if (closed) {
                refusal = "the service stops";
            } else if (waiting.size() >= settings.queue()) {
                refusal = "too many requests wait for Kafka";
            } else {
                waiting.add(ticket);
            }
        }
        if (refusal != null) {
            metrics.scanRefused.increment();
            ticket.end(ScanTicket.State.UNAVAILABLE, refusal);
        } else {
            openNext();
        }
        return ticket;
    }

    /** Scans under way. */
    public synchronized int active() {
        return active.size();
    }

    /** Requests that wait for a scan. */
    public synchronized int waiting() {
        return waiting.size();
    }

    /** Bytes of pages found and not yet sent. */
    public long bufferedBytes() {
        return buffered.get();
    }

    private void openNext() {
        while (true) {
            RangeScan scan = next();
            if (scan == null) {
                return;
            }
            opening.schedule(scan::start, GATHER_MILLIS, TimeUnit.MILLISECONDS);
        }
    }

    private synchronized @Nullable RangeScan next() {
        if (closed || active.size() >= settings.concurrent()) {
            return null;
        }
        for (Iterator<ScanTicket> i = waiting.iterator(); i.hasNext(); ) {
            ScanTicket first = i.next();
            if (first.isOver()) {
                i.remove();
            } else if (!willBeTaken(first)) {
                i.remove();
                RangeScan scan = new RangeScan(
                        this,
                        first.wanted().topicLog(),
                        first.wanted().partition(),
                        first,
                        clients.scan(
                                "tidegate-replay-scan-" + number.incrementAndGet(),
                                Math.toIntExact(settings.fetchBytes().toBytes())),
                        maxPayloadBytes,
                        metrics);
                active.add(scan);
                return scan;
            }
        }
        return null;
    }

    /** Whether a scan that has not begun reading takes this ticket along. */
    private boolean willBeTaken(ScanTicket t) {
        for (RangeScan scan : active) {
            if (scan.gathering() && near(scan, t, scan.seed())) {
                return true;
            }
        }
        return false;
    }

    private boolean near(RangeScan scan, ScanTicket t, long from) {
        ScanTicket.Wanted w = t.wanted();
        return w.topicLog() == scan.topicLog()
                && w.partition() == scan.partition()
                && Math.abs(w.after() + 1 - from) <= settings.joinDistance();
    }

    /** Those that can ride along with a scan that is about to take its place. */
    List<ScanTicket> joinAtStart(RangeScan scan) {
        return join(scan, scan.seed(), Long.MIN_VALUE);
    }

    /** Those that can ride along with a scan whose next record is {@code next}. */
    List<ScanTicket> join(RangeScan scan, long next) {
        return join(scan, next, next);
    }

    /** Called by scans that hold their own lock: this class never takes a scan's lock while it holds its own. */
    private synchronized List<ScanTicket> join(RangeScan scan, long near, long notBefore) {
        if (waiting.isEmpty()) {
            return List.of();
        }
        List<ScanTicket> joining = new ArrayList<>();
        for (Iterator<ScanTicket> i = waiting.iterator(); i.hasNext(); ) {
            ScanTicket t = i.next();
            if (near(scan, t, near) && t.wanted().after() + 1 >= notBefore) {
                i.remove();
                joining.add(t);
            }
        }
        return joining;
    }

    void ended(RangeScan scan) {
        synchronized (this) {
            active.remove(scan);
        }
        openNext();
    }

    private void tick() {
        long now = System.nanoTime();
        List<RangeScan> scans;
        List<ScanTicket> late = new ArrayList<>();
        synchronized (this) {
            scans = List.copyOf(active);
            waiting.removeIf(t -> {
                boolean tooLate = now - t.since > settings.queueWait().toNanos();
                if (tooLate) {
                    late.add(t);
                }
                return tooLate || t.isOver();
            });
        }
        for (ScanTicket t : late) {
            metrics.scanRefused.increment();
            t.end(ScanTicket.State.UNAVAILABLE, "no scan of Kafka came free in time");
        }
        for (RangeScan scan : scans) {
            scan.tick(now, settings.maxTime(), settings.stall());
        }
        openNext();
    }

    @Override
    public void close() {
        List<RangeScan> scans;
        List<ScanTicket> refused;
        synchronized (this) {
            closed = true;
            scans = List.copyOf(active);
            refused = List.copyOf(waiting);
            waiting.clear();
        }
        timer.dispose();
        refused.forEach(t -> t.end(ScanTicket.State.UNAVAILABLE, "the service stops"));
        scans.forEach(RangeScan::close);
        opening.dispose();
    }
}
