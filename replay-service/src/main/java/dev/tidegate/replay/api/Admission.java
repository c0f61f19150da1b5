package dev.tidegate.replay.api;

import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.core.publisher.MonoSink;
import reactor.core.scheduler.Schedulers;

/**
 * So many calls at once, so many waiting, first come first served, each for so long; the others are refused at once. Any
 * thread.
 */
final class Admission {
    private enum State {
        WAITING,
        INSIDE,
        GONE
    }

    private static final class Place {
        State state = State.WAITING;

        @Nullable
        MonoSink<Void> sink;
    }

    private final String what;
    private final int inside;
    private final int queue;
    private final Duration wait;
    private final LongAdder refused;

    private final ArrayDeque<Place> waiting = new ArrayDeque<>(); // guarded by this, bounded by queue and calls begun
    private int running; // guarded by this

    /**
     * Bounds.
     *
     * @param what calls of this kind, for people
     * @param inside most at once
     * @param queue most waiting
     * @param wait how long one waits
     */
    Admission(String what, int inside, int queue, Duration wait, LongAdder refused) {
        this.what = what;
        this.inside = inside;
        this.queue = queue;
        this.wait = wait;
        this.refused = refused;
    }

    /** Runs a call when there is room for it; the room is free again when it has completed, failed or been cancelled. */
    <T> Mono<T> run(Supplier<Mono<T>> call) {
        return enter(call, false);
    }

    /**
     * Runs the next step of a call that has begun and gives its place back between steps. It takes its turn like a new one, but is
     * not refused: what bounds those who wait this way is the number of such calls.
     */
    <T> Mono<T> runNext(Supplier<Mono<T>> step) {
        return enter(step, true);
    }

    private <T> Mono<T> enter(Supplier<Mono<T>> call, boolean begun) {
        return Mono.defer(() -> {
            Place place = new Place();
            boolean now;
            synchronized (this) {
                now = running < inside && waiting.isEmpty();
                if (now) {
                    place.state = State.INSIDE;
                    running++;
                } else if (waiting.size() >= queue && !begun) {
                    place.state = State.GONE;
                } else {
                    waiting.add(place);
                }
            }
            if (place.state == State.GONE) {
                return Mono.error(full());
            }
            Mono<T> work = now
                    ? Mono.defer(call)
                    : (begun ? turn(place) : turn(place).timeout(wait, Mono.error(this::full)))
                            .publishOn(Schedulers.parallel())
                            .then(Mono.defer(call));
            return work.doFinally(signal -> leave(place));
        });
    }

    /** Calls inside. */
    synchronized int inside() {
        return running;
    }

    /** Calls waiting. */
    synchronized int waiting() {
        return waiting.size();
    }

    private ProtocolException full() {
        refused.increment();
        return new ProtocolException(
                ErrorCode.UNAVAILABLE,
                "too many " + what + " at once (expected: " + inside + " served, " + queue + " waiting); try again");
    }

    private Mono<Void> turn(Place place) {
        return Mono.create(sink -> {
            boolean granted;
            synchronized (this) {
                place.sink = sink;
                granted = place.state == State.INSIDE;
            }
            if (granted) {
                sink.success();
            }
        });
    }

    private void leave(Place place) {
        MonoSink<Void> next = null;
        synchronized (this) {
            if (place.state == State.INSIDE) {
                running--;
            } else {
                waiting.remove(place);
            }
            place.state = State.GONE;
            Place first = running < inside ? waiting.poll() : null;
            if (first != null) {
                first.state = State.INSIDE;
                running++;
                next = first.sink;
            }
        }
        if (next != null) {
            next.success();
        }
    }
}
