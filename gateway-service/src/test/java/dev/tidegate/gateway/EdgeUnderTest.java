package dev.tidegate.gateway;

import dev.tidegate.gateway.session.Handshake;
import dev.tidegate.gateway.session.SessionOpener;
import dev.tidegate.gateway.transport.GatewayCore;
import io.netty.channel.Channel;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.springframework.boot.web.server.context.WebServerApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.core.env.Environment;

/** A gateway with its real edge and a scripted core: it notes what the edge hands over. */
public final class EdgeUnderTest implements AutoCloseable {
    /** Property: whether the fake core's tail is at its end from the start (true). */
    public static final String STARTS_CAUGHT_UP = "fake.starts-caught-up";

    /** What the edge handed over. */
    public record Opened(Channel channel, Handshake handshake) {}

    private final ConfigurableApplicationContext context;
    private final FakeCore core;

    private EdgeUnderTest(ConfigurableApplicationContext context) {
        this.context = context;
        this.core = context.getBean(FakeCore.class);
    }

    /** Starts on a free port with the development profile, unless the overrides say otherwise. */
    public static EdgeUnderTest start(Map<String, Object> overrides) {
        Map<String, Object> all = new HashMap<>(Map.of(
                "server.port", 0,
                "server.address", "127.0.0.1",
                "spring.profiles.active", "dev",
                "spring.config.import", "",
                "tidegate.gateway.loops", 2,
                "tidegate.gateway.drain-timeout", "100ms"));
        all.putAll(overrides);
        return new EdgeUnderTest(GatewayApplication.start(List.of(WithFakeCore.class), all));
    }

    public int port() {
        return context.getEnvironment().getRequiredProperty("local.server.port", Integer.class);
    }

    public ConfigurableApplicationContext context() {
        return context;
    }

    public FakeCore core() {
        return core;
    }

    /** The next socket handed over; fails when none comes. */
    public Opened nextOpened() throws InterruptedException {
        Opened opened = core.opened.poll(60, TimeUnit.SECONDS);
        if (opened == null) {
            throw new AssertionError("nothing was handed over");
        }
        return opened;
    }

    @Override
    public void close() {
        context.close();
    }

    /** The core's part of it. */
    public static final class FakeCore {
        final BlockingQueue<Opened> opened = new LinkedBlockingQueue<>();
        public volatile SessionOpener opener = (channel, handshake) -> {};
        public volatile int partitions = 16;
        public volatile List<Integer> layouts = List.of(16);
        public volatile boolean caughtUp = true;
        public final List<Duration> drains = new ArrayList<>();
        public volatile boolean serverWasUpWhileDraining;
        public final AtomicInteger connections = new AtomicInteger();

        void open(Channel channel, Handshake handshake) {
            connections.incrementAndGet();
            channel.closeFuture().addListener(f -> connections.decrementAndGet());
            opener.open(channel, handshake);
            opened.add(new Opened(channel, handshake));
        }
    }

    @Configuration(proxyBeanMethods = false)
    @Import(ServiceConfiguration.class)
    static class WithFakeCore {
        @Bean
        FakeCore fakeCore(Environment environment) {
            FakeCore fake = new FakeCore();
            fake.caughtUp = environment.getProperty(STARTS_CAUGHT_UP, Boolean.class, true);
            return fake;
        }

        @Bean
        GatewayCore gatewayCore(FakeCore fake, WebServerApplicationContext context) {
            return new GatewayCore(
                    fake::open,
                    () -> fake.partitions,
                    () -> fake.layouts,
                    () -> "k3ZqW1xA",
                    fake.connections::get,
                    () -> fake.caughtUp,
                    () -> Map.of("kafka", "live", "redis", "off"),
                    within -> {
                        fake.drains.add(within);
                        fake.serverWasUpWhileDraining = isListening(context);
                        return CompletableFuture.completedStage(null);
                    });
        }

        private static boolean isListening(WebServerApplicationContext context) {
            try (Socket s = new Socket(
                    InetAddress.getLoopbackAddress(), context.getWebServer().getPort())) {
                return s.isConnected();
            } catch (IOException e) {
                return false;
            }
        }
    }
}
