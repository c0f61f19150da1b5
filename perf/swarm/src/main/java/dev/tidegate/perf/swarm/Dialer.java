package dev.tidegate.perf.swarm;

import io.netty.channel.Channel;
import java.net.InetSocketAddress;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Opens connections at a steady rate, with a bound on those under way. Of one loop. */
final class Dialer {
    /** How often the queue is looked at, milliseconds. */
    private static final int TICK = 5;

    private final Swarm swarm;
    private final Sockets sockets;
    private final Settings.Load load;
    private final ArrayDeque<Client> queue = new ArrayDeque<>(); // bounded: a client is in it once
    private final Map<Settings.Address, InetSocketAddress> resolved = new HashMap<>();
    private List<Settings.Address> gateways;
    private double rate;
    private double budget;
    private long lastTick;
    private boolean ticking;
    private int inFlight;

    /** @param rate connections per second */
    Dialer(Swarm swarm, Sockets sockets, double rate) {
        this.swarm = swarm;
        this.sockets = sockets;
        this.load = swarm.settings.load();
        this.gateways = load.gateways();
        this.rate = rate;
    }

    /** From now on to these, at this rate. */
    void redirect(List<Settings.Address> newGateways, double newRate) {
        gateways = newGateways;
        rate = newRate;
    }

    void enqueue(Client c) {
        c.state = Client.State.QUEUED;
        queue.add(c);
        if (!ticking) {
            ticking = true;
            lastTick = System.nanoTime();
            budget = 1;
            tick();
        }
    }

    /** Forgets who waits. */
    void clear() {
        queue.clear();
    }

    /** A connection under way has been made, or has failed. */
    void landed() {
        inFlight--;
    }

    private void tick() {
        long t = System.nanoTime();
        // At most a tenth of a second's worth at once, so that a pause of this process is no flood afterwards.
        budget = Math.min(budget + rate * (t - lastTick) / 1e9, Math.max(1, rate / 10));
        lastTick = t;
        while (budget >= 1 && inFlight < load.inFlight() && !queue.isEmpty()) {
            Client c = queue.remove();
            if (c.state == Client.State.QUEUED) {
                budget--;
                open(c);
            }
        }
        if (queue.isEmpty()) {
            ticking = false;
        } else {
            var _ = sockets.loop().schedule(this::tick, TICK, TimeUnit.MILLISECONDS);
        }
    }

    private void open(Client c) {
        inFlight++;
        swarm.opened();
        Channel channel = sockets.open(c.slow);
        c.opening(channel);
        var _ = sockets.loop().register(channel);
        channel.pipeline().addLast(c);
        InetSocketAddress to = resolved.computeIfAbsent(target(c), a -> new InetSocketAddress(a.host(), a.port()));
        boolean ofThisMachine = to.getAddress() != null && to.getAddress().isLoopbackAddress();
        var connecting = load.sources() > 0 && ofThisMachine
                ? channel.connect(to, new InetSocketAddress("127.0.0." + (1 + c.index % load.sources()), 0))
                : channel.connect(to);
        connecting.addListener(f -> {
            if (!f.isSuccess() && channel.equals(c.channel)) {
                swarm.accounts.example("connection " + c.index + ": " + f.cause());
                swarm.closed(c);
            }
        });
    }

    /** Spread over the gateways; the next one after each failure. */
    private Settings.Address target(Client c) {
        return gateways.get((c.index + c.attempts - 1) % gateways.size());
    }

    /** Where the client's connection leads, as its Host header says. */
    String host(Client c) {
        Settings.Address a = target(c);
        return a.host() + ":" + a.port();
    }
}
