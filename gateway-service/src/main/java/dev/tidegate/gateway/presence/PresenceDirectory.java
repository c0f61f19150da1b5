package dev.tidegate.gateway.presence;

import dev.tidegate.gateway.config.PresenceSettings;
import dev.tidegate.gateway.presence.LocalChannel.Local;
import dev.tidegate.gateway.presence.PresenceStore.Renewal;
import dev.tidegate.gateway.presence.PresenceStore.State;
import dev.tidegate.gateway.session.Presence;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.PresenceMember;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who is where: this gateway's members, told to the store, and everybody's, read from it. It goes by states, not by events: what loops
 * report is summed up and told; what the store tells is "something changed", upon which it is read and compared with what members here know.
 * So a message that is lost, a gateway that died and a store that lost everything all come right by the next read.
 *
 * <p>Confined to one thread (the executor's), on which {@link #tick} is called every {@link #TICK_MS}; {@link #changed} and {@link #ask}
 * are for any thread. Bounds: one update, one read and one renewal of a channel at a time; {@link #MAX_CALLS} of all channels.
 */
final class PresenceDirectory implements Presence, PresenceStore.Listener {
    /** Who tells members of others: the shards. */
    interface Announcer {
        /** Any thread; returns at once. */
        void announce(int loop, ChannelName channel, List<PresenceMember> joined, List<PresenceMember> left);
    }

    private static final Logger LOG = LoggerFactory.getLogger(PresenceDirectory.class);

    static final long TICK_MS = 50;

    /** Most members of one update. */
    private static final int UPDATE_MEMBERS = 500;

    /** Most calls to the store under way; what is beyond it waits for a later tick. */
    private static final int MAX_CALLS = 1_000;

    /** Questions waiting for an answer, of all clients; further ones are answered {@code unavailable}. */
    private static final int MAX_ASKS = 10_000;

    /** Between two reads of one channel for its members' sake: comings and goings within it are told together. */
    private static final long READ_PAUSE_NANOS = 200_000_000L;

    private static final int RENEWALS_PER_LEASE = 3;

    private final Set<String> namespaces;
    private final PresenceSettings settings;
    private final PresenceStore store;
    private final Executor executor;
    private final LongSupplier clock;
    private final Announcer announcer;
    private final int loops;
    private final AtomicInteger asked = new AtomicInteger();
    private final Map<ChannelName, LocalChannel> channels = new HashMap<>();

    /** Channels with something to do. */
    private final LinkedHashSet<LocalChannel> work = new LinkedHashSet<>();

    /** A member without connections, in the order of when it counts as gone: the grace is the same for all. */
    private record Going(LocalChannel channel, String member, long at) {}

    private final ArrayDeque<Going> going = new ArrayDeque<>();

    /** Channels under a lease, in the order of when it is to be renewed. */
    private final ArrayDeque<LocalChannel> leased = new ArrayDeque<>();

    private int calls;
    private int era; // of the connection: answers to calls of an earlier one are not ours any more
    private volatile boolean connected;

    final LongAdder announced = new LongAdder();
    final LongAdder failures = new LongAdder();

    PresenceDirectory(
            Set<String> namespaces,
            PresenceSettings settings,
            PresenceStore store,
            Executor executor,
            LongSupplier clock,
            Announcer announcer,
            int loops) {
        this.namespaces = Set.copyOf(namespaces);
        this.settings = settings;
        this.store = store;
        this.executor = executor;
        this.clock = clock;
        this.announcer = announcer;
        this.loops = loops;
    }

    // ---- from loops

    @Override
    public boolean covers(ChannelName channel) {
        return namespaces.contains(channel.namespace());
    }

    @Override
    public void changed(int loop, List<Change> changes) {
        run(() -> {
            long now = clock.getAsLong();
            for (Change c : changes) {
                change(loop, c, now);
            }
        });
    }

    @Override
    public void ask(ChannelName channel, Consumer<Answer> done) {
        if (!connected) {
            done.accept(new Answer.Failed(ErrorCode.UNAVAILABLE, "presence: Redis is away"));
            return;
        }
        if (asked.incrementAndGet() > MAX_ASKS) {
            asked.decrementAndGet();
            done.accept(new Answer.Failed(
                    ErrorCode.UNAVAILABLE, "presence: " + MAX_ASKS + " questions wait for an answer already"));
            return;
        }
        run(() -> {
            LocalChannel c = channel(channel);
            c.asks.add(done);
            work.add(c);
        });
    }

    private void run(Runnable task) {
        try {
            executor.execute(task);
        } catch (RejectedExecutionException e) {
            LOG.debug("Not told: the gateway is shutting down");
        }
    }

    private LocalChannel channel(ChannelName name) {
        return channels.computeIfAbsent(name, n -> new LocalChannel(n, loops));
    }

    private void change(int loop, Change change, long now) {
        LocalChannel c = channel(change.channel());
        String key = change.member().key();
        Local local = c.members.computeIfAbsent(key, k -> new Local());
        c.perLoop[loop] += change.connections();
        local.connections += change.connections();
        if (local.connections > 0) {
            tell(c, key, local);
        } else {
            local.goneAt = now + settings.grace().toNanos();
            going.add(new Going(c, key, local.goneAt));
        }
        if (!c.watched) {
            c.watched = true;
            c.stale = true;
            c.readNotBefore = now;
            store.watch(c.name.value(), true);
        }
        work.add(c);
    }

    private static void tell(LocalChannel c, String key, Local local) {
        if (local.connections == local.told) {
            c.untold.remove(key);
        } else {
            c.untold.add(key);
        }
    }

    // ---- time

    /** Does what is due; on the directory's thread. */
    void tick() {
        long now = clock.getAsLong();
        while (!going.isEmpty() && going.getFirst().at() - now <= 0) {
            gone(going.removeFirst());
        }
        if (connected) {
            renewLeases(now);
        }
        List<LocalChannel> due = new ArrayList<>(work);
        for (LocalChannel c : due) {
            if (calls >= MAX_CALLS) {
                return;
            }
            advance(c, now);
        }
    }

    private void gone(Going g) {
        Local local = g.channel().members.get(g.member());
        if (local != null && local.connections == 0 && local.goneAt == g.at()) {
            if (local.told == 0) {
                g.channel().members.remove(g.member());
                g.channel().untold.remove(g.member());
            } else {
                g.channel().untold.add(g.member());
            }
            work.add(g.channel());
        }
    }

    private void renewLeases(long now) {
        while (!leased.isEmpty() && leased.getFirst().renewAt - now <= 0 && calls < MAX_CALLS) {
            LocalChannel c = leased.removeFirst();
            if (!c.members.isEmpty()) {
                lease(c, now);
                renew(c);
            } else {
                c.renewAt = 0;
            }
        }
    }

    private void lease(LocalChannel c, long now) {
        c.renewAt = now + settings.lease().toNanos() / RENEWALS_PER_LEASE;
        leased.add(c);
    }

    /** Tells and reads what there is to tell and read, as far as that is possible now. */
    private void advance(LocalChannel c, long now) {
        if (!connected) {
            refuse(c);
        } else {
            if (!c.untold.isEmpty() && !c.updating) {
                update(c, now);
            }
            boolean forMembers = c.stale && now - c.readNotBefore >= 0;
            if (!c.reading && (forMembers || !c.asks.isEmpty())) {
                read(c, now);
            }
        }
        boolean waits = connected && (!c.untold.isEmpty() || c.stale || !c.asks.isEmpty());
        if (!waits) {
            work.remove(c);
            if (c.isIdle() && channels.remove(c.name, c) && c.watched) {
                store.watch(c.name.value(), false);
            }
        }
    }

    // ---- calls to the store

    private void update(LocalChannel c, long now) {
        Map<String, Integer> told = new LinkedHashMap<>();
        for (Iterator<String> i = c.untold.iterator(); i.hasNext() && told.size() < UPDATE_MEMBERS; ) {
            String key = i.next();
            i.remove();
            Local local = c.members.get(key);
            if (local == null) {
                continue;
            }
            if (local.connections == 0) {
                c.members.remove(key);
                if (local.told == 0) {
                    continue; // came and went before anybody was told
                }
            }
            local.told = local.connections;
            told.put(key, local.connections);
        }
        boolean anew = c.anew;
        c.anew = c.members.isEmpty();
        c.updating = true;
        if (c.renewAt == 0) {
            lease(c, now);
        }
        call(store.update(c.name.value(), told, anew), (held, failed) -> {
            c.updating = false;
            if (held == null || !held) {
                c.anew = true; // not carried out, or not known whether it was: all of it once more
                retellAll(c);
                settle(c, clock.getAsLong());
            }
            work.add(c);
        });
    }

    private void read(LocalChannel c, long now) {
        List<Consumer<Answer>> asks = c.asks;
        c.asks = new ArrayList<>(0);
        c.stale = false;
        c.reading = true;
        c.readNotBefore = now + READ_PAUSE_NANOS;
        call(store.read(c.name.value(), settings.members()), (state, failed) -> {
            c.reading = false;
            work.add(c);
            if (state == null) {
                c.stale = c.watched;
                answer(asks, new Answer.Failed(ErrorCode.UNAVAILABLE, "presence: Redis does not answer"));
                return;
            }
            answer(asks, asks.isEmpty() ? null : answer(state));
            if (c.watched) {
                compare(c, state, clock.getAsLong());
            }
            clear(c, state.ended());
        });
    }

    private Answer answer(State state) {
        List<Present> present = new ArrayList<>(state.members().size());
        state.members().forEach((key, connections) -> {
            if (present.size() < settings.members()) {
                present.add(new Present(PresenceMember.ofKey(key), connections));
            }
        });
        return new Answer.Members(state.count(), present);
    }

    private void renew(LocalChannel c) {
        if (c.renewing || c.updating) {
            return; // the update does it
        }
        c.renewing = true;
        call(store.renew(c.name.value()), (renewal, failed) -> {
            c.renewing = false;
            work.add(c);
            if (renewal != null) {
                renewed(c, renewal, clock.getAsLong());
            }
        });
    }

    private void renewed(LocalChannel c, Renewal renewal, long now) {
        if (!renewal.held()) {
            c.anew = true;
            retellAll(c);
            settle(c, now);
        }
        if (renewal.version() != c.version) {
            c.version = renewal.version();
            c.stale = true; // the message that should have said so may have been lost
        }
        clear(c, renewal.ended());
    }

    /** Clears what dead gateways have left, one call at a time, since each is bounded. */
    private void clear(LocalChannel c, List<String> ended) {
        if (ended.isEmpty() || c.clearing) {
            return;
        }
        c.clearing = true;
        clearNext(c, new ArrayDeque<>(ended));
    }

    private void clearNext(LocalChannel c, ArrayDeque<String> ended) {
        call(store.clear(c.name.value(), ended.getFirst()), (more, failed) -> {
            if (more != null && !more) {
                ended.removeFirst();
            }
            if (more == null || ended.isEmpty()) {
                c.clearing = false;
                c.stale = c.watched;
                work.add(c);
            } else {
                clearNext(c, ended);
            }
        });
    }

    /** What follows a call: its answer (null if it failed), and whether it failed. */
    private interface Then<T> {
        void accept(@Nullable T answer, boolean failed);
    }

    private <T> void call(CompletionStage<T> call, Then<T> then) {
        int of = era;
        calls++;
        call.whenComplete((answer, error) -> run(() -> {
            calls--;
            if (error != null) {
                failures.increment();
            }
            // Of a connection that has broken since: whatever it did, everything is told anew.
            boolean ours = of == era;
            then.accept(ours ? answer : null, !ours || error != null);
        }));
    }

    private void retellAll(LocalChannel c) {
        c.members.values().removeIf(local -> local.connections == 0);
        c.members.forEach((key, local) -> {
            local.told = 0;
            c.untold.add(key);
        });
        c.untold.retainAll(c.members.keySet());
        if (c.members.isEmpty()) {
            c.untold.clear();
        }
    }

    private void settle(LocalChannel c, long now) {
        // By then every gateway has renewed its lease, found its part gone, and told it anew.
        c.settlesAt = now + settings.lease().toNanos() / RENEWALS_PER_LEASE + READ_PAUSE_NANOS;
    }

    // ---- telling members of others

    private void compare(LocalChannel c, State state, long now) {
        if (state.count() > settings.members()) {
            c.view = null;
            return;
        }
        Set<String> there = new HashSet<>(state.members().keySet());
        Set<String> known = c.view;
        if (known == null) {
            c.view = there;
            return;
        }
        List<PresenceMember> joined = missing(there, known);
        List<PresenceMember> left = missing(known, there);
        if (!left.isEmpty() && c.settlesAt - now > 0) {
            left = List.of();
            there.addAll(known);
            c.stale = true;
            c.readNotBefore = c.settlesAt;
        }
        c.view = there;
        if (joined.isEmpty() && left.isEmpty()) {
            return;
        }
        announced.add(joined.size() + left.size());
        for (int loop = 0; loop < loops; loop++) {
            if (c.perLoop[loop] > 0) {
                announcer.announce(loop, c.name, joined, left);
            }
        }
    }

    private static List<PresenceMember> missing(Set<String> of, Set<String> in) {
        List<PresenceMember> members = new ArrayList<>();
        for (String key : of) {
            if (!in.contains(key)) {
                members.add(PresenceMember.ofKey(key));
            }
        }
        return members;
    }

    private void answer(List<Consumer<Answer>> asks, @Nullable Answer answer) {
        if (answer != null) {
            asked.addAndGet(-asks.size());
            asks.forEach(a -> a.accept(answer));
        }
    }

    private void refuse(LocalChannel c) {
        List<Consumer<Answer>> asks = c.asks;
        c.asks = new ArrayList<>(0);
        answer(asks, new Answer.Failed(ErrorCode.UNAVAILABLE, "presence: Redis is away"));
    }

    // ---- from the store

    @Override
    public void connected() {
        run(() -> {
            era++;
            connected = true;
            long now = clock.getAsLong();
            for (LocalChannel c : channels.values()) {
                c.anew = true;
                retellAll(c);
                settle(c, now);
                c.stale = c.watched;
                c.readNotBefore = now;
                work.add(c);
            }
        });
    }

    @Override
    public void disconnected() {
        connected = false;
        run(() -> {
            era++;
            work.addAll(channels.values()); // whoever asked is told
        });
    }

    @Override
    public void changed(String channel) {
        run(() -> {
            LocalChannel c = channels.get(new ChannelName(channel));
            if (c != null && c.watched) {
                c.stale = true;
                work.add(c);
            }
        });
    }

    /** Lets this gateway's leases end soon; on the directory's thread. Completes when all have been told, or could not be. */
    CompletableFuture<?> release() {
        List<CompletableFuture<?>> calls = new ArrayList<>();
        if (connected) {
            for (LocalChannel c : channels.values()) {
                if (!c.members.isEmpty()) {
                    calls.add(store.release(c.name.value()).toCompletableFuture());
                }
            }
        }
        return CompletableFuture.allOf(calls.toArray(CompletableFuture<?>[]::new));
    }

    // ---- figures; approximate from other threads

    boolean isConnected() {
        return connected;
    }

    int channels() {
        return channels.size();
    }
}
