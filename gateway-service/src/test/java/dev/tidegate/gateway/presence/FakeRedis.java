package dev.tidegate.gateway.presence;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.LongSupplier;

/** What {@link RedisPresence} does with Redis, done with maps: by the same rules, at once, and gone when a test says so. */
final class FakeRedis {
    private static final class Channel {
        final Map<String, Map<String, Integer>> parts = new TreeMap<>();
        final Map<String, Long> leases = new HashMap<>();
        long version;
    }

    private final LongSupplier clock;
    private final long leaseNanos;
    private final Map<String, Channel> channels = new HashMap<>();
    private final List<Store> stores = new ArrayList<>();
    boolean away;
    int updates;
    int reads;

    FakeRedis(LongSupplier clock, long leaseNanos) {
        this.clock = clock;
        this.leaseNanos = leaseNanos;
    }

    Store store(String gateway) {
        Store store = new Store(gateway);
        stores.add(store);
        return store;
    }

    /** It goes, and forgets. */
    void die() {
        away = true;
        channels.clear();
        stores.forEach(s -> s.listener.disconnected());
    }

    void start() {
        away = false;
    }

    final class Store implements PresenceStore {
        private final String gateway;
        private final Set<String> watched = new HashSet<>();
        Listener listener;

        Store(String gateway) {
            this.gateway = gateway;
        }

        @Override
        public void start(Listener toldTo) {
            listener = toldTo;
            toldTo.connected();
        }

        @Override
        public void watch(String channel, boolean wanted) {
            var _ = wanted ? watched.add(channel) : watched.remove(channel);
        }

        private <T> CompletionStage<T> answer(java.util.function.Supplier<T> what) {
            return away
                    ? CompletableFuture.failedFuture(new IllegalStateException("away"))
                    : CompletableFuture.completedFuture(what.get());
        }

        private Channel channel(String name) {
            return channels.computeIfAbsent(name, n -> new Channel());
        }

        private Map<String, Long> members(Channel c) {
            Map<String, Long> all = new TreeMap<>();
            c.parts.values().forEach(p -> p.forEach((m, n) -> all.merge(m, (long) n, Long::sum)));
            return all;
        }

        private List<String> ended(Channel c) {
            return c.leases.entrySet().stream()
                    .filter(e -> e.getValue() <= clock.getAsLong())
                    .map(Map.Entry::getKey)
                    .toList();
        }

        private void news(String name, Channel c, Set<String> before) {
            if (!members(c).keySet().equals(before)) {
                c.version++;
                stores.stream().filter(s -> s.watched.contains(name)).forEach(s -> s.listener.changed(name));
            }
        }

        @Override
        public CompletionStage<Boolean> update(String name, Map<String, Integer> connections, boolean anew) {
            return answer(() -> {
                updates++;
                Channel c = channel(name);
                if (!anew && c.leases.getOrDefault(gateway, 0L) <= clock.getAsLong()) {
                    return false;
                }
                Set<String> before = members(c).keySet();
                Map<String, Integer> part = c.parts.computeIfAbsent(gateway, g -> new HashMap<>());
                if (anew) {
                    part.clear();
                }
                connections.forEach((m, n) -> {
                    var _ = n == 0 ? part.remove(m) : part.put(m, n);
                });
                if (part.isEmpty()) {
                    c.leases.remove(gateway);
                } else {
                    c.leases.put(gateway, clock.getAsLong() + leaseNanos);
                }
                news(name, c, before);
                return true;
            });
        }

        @Override
        public CompletionStage<Renewal> renew(String name) {
            return answer(() -> {
                Channel c = channel(name);
                boolean held = c.leases.getOrDefault(gateway, 0L) > clock.getAsLong();
                if (held) {
                    c.leases.put(gateway, clock.getAsLong() + leaseNanos);
                }
                return new Renewal(held, c.version, ended(c));
            });
        }

        @Override
        public CompletionStage<State> read(String name, int limit) {
            return answer(() -> {
                reads++;
                Channel c = channel(name);
                Map<String, Long> all = members(c);
                Map<String, Long> page = new TreeMap<>();
                all.forEach((m, n) -> {
                    if (page.size() < limit) {
                        page.put(m, n);
                    }
                });
                return new State(all.size(), page, ended(c));
            });
        }

        @Override
        public CompletionStage<Boolean> clear(String name, String ended) {
            return answer(() -> {
                Channel c = channel(name);
                Set<String> before = members(c).keySet();
                if (ended(c).contains(ended)) {
                    c.parts.remove(ended);
                    c.leases.remove(ended);
                    news(name, c, before);
                }
                return false;
            });
        }

        @Override
        public CompletionStage<?> release(String name) {
            return answer(() -> channel(name).leases.computeIfPresent(gateway, (g, ends) -> clock.getAsLong()));
        }

        @Override
        public void close() {
            watched.clear();
        }
    }
}
