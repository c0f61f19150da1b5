package dev.tidegate.gateway.transport;

import dev.tidegate.gateway.config.GatewaySettings;
import org.jspecify.annotations.Nullable;

/** Whether another client is taken in now: bounds on connections and on the rate of handshakes. Any thread. */
final class Admission {
    private final GatewayCore core;
    private final int maxConnections;
    private final HandshakeRate rate;
    private volatile boolean draining;

    Admission(GatewayCore core, GatewaySettings.Limits limits) {
        this.core = core;
        this.maxConnections = limits.connections();
        this.rate = new HandshakeRate(limits.handshakesPerSecond(), limits.handshakeBurst(), System::nanoTime);
    }

    /** Null if the client is taken in. Handshakes under way are not counted yet, so the bound may be passed by those. */
    @Nullable
    Refusal check() {
        if (draining) {
            return Refusal.notNow("this gateway is shutting down: connect to another one");
        }
        if (core.partitions().getAsInt() == 0) {
            return Refusal.notNow("this gateway is starting: it does not know the log yet");
        }
        if (core.connections().getAsInt() >= maxConnections) {
            return Refusal.notNow("this gateway is full: " + maxConnections + " connections");
        }
        if (!rate.tryTake()) {
            return Refusal.notNow("too many clients connect at once");
        }
        return null;
    }

    /** From now on nobody is taken in. */
    void stop() {
        draining = true;
    }
}
