package dev.tidegate.replay;

import dev.tidegate.replay.kafka.Tail;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.context.event.ApplicationEnvironmentPreparedEvent;
import org.springframework.boot.context.properties.bind.BindException;
import org.springframework.boot.web.server.PortInUseException;
import org.springframework.context.ApplicationListener;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.core.Ordered;
import org.springframework.core.env.MapPropertySource;
import org.springframework.util.unit.DataSize;

/** The service's entry: {@code java -jar}, or {@link #run} inside another JVM. */
public final class ReplayApplication {
    private static final Logger log = LoggerFactory.getLogger(ReplayApplication.class);

    private ReplayApplication() {}

    /** Starts the service; a start that fails says why in one line and ends the process with 2. */
    @SuppressWarnings("SystemOut") // the logging system may not be there yet, or not any more
    public static void main(String[] args) {
        try {
            run(Map.of(), args);
        } catch (SpringApplication.AbandonedRunException e) {
            throw e;
        } catch (Throwable e) {
            System.err.println("replay-service cannot start: " + reason(e));
            System.exit(2);
        }
    }

    /**
     * Starts the service. Returns when it listens; it is ready (its readiness says so, and one line of the log) when memory has
     * been filled from Kafka, for which it waits as long as it takes.
     *
     * @param overrides properties that win over every other source
     */
    public static ConfigurableApplicationContext run(Map<String, Object> overrides, String... args) {
        ConfigurableApplicationContext context = new SpringApplicationBuilder(ReplayConfiguration.class)
                .web(WebApplicationType.REACTIVE)
                .properties("spring.config.name=replay")
                .listeners(new Overrides(Map.copyOf(overrides)))
                .run(args);
        Tail tail = context.getBean(Tail.class);
        String port = context.getEnvironment().getProperty("local.server.port");
        Thread.ofVirtual().name("replay-ready").start(() -> tellWhenReady(tail, port));
        return context;
    }

    private static void tellWhenReady(Tail tail, @Nullable String port) {
        try {
            if (tail.awaitFilled()) {
                log.info(
                        "replay-service ready on http://127.0.0.1:{} (pid {})",
                        port,
                        ProcessHandle.current().pid());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Puts the overrides before all other sources, early enough that profiles and imports among them count. */
    private record Overrides(Map<String, Object> properties)
            implements ApplicationListener<ApplicationEnvironmentPreparedEvent>, Ordered {
        @Override
        public void onApplicationEvent(ApplicationEnvironmentPreparedEvent event) {
            event.getEnvironment().getPropertySources().addFirst(new MapPropertySource("overrides", properties));
        }

        @Override
        public int getOrder() {
            return Ordered.HIGHEST_PRECEDENCE;
        }
    }

    /** One line for the person who started it. */
    static String reason(Throwable e) {
        String last = null;
        String setting = null;
        for (@Nullable Throwable t = e; t != null; t = t.getCause()) {
            if (t instanceof PortInUseException p) {
                return "server.port: " + p.getPort()
                        + " is taken (expected: a free port; TIDEGATE_REPLAY_PORT sets it)";
            }
            if (t instanceof BindException b && b.getProperty() != null) {
                setting = b.getProperty().getName() + ": " + b.getProperty().getValue() + " (expected: "
                        + (b.getTarget().getType().resolve() == DataSize.class
                                ? "a size, such as 65536 or 64KB"
                                : b.getTarget().getType())
                        + ")";
            }
            String message = t.getMessage();
            if (message != null && !message.isBlank()) {
                last = message.lines().findFirst().orElse(message);
            }
        }
        if (setting != null && (last == null || !last.contains("(expected: "))) {
            return setting;
        }
        return last == null ? e.getClass().getSimpleName() : last;
    }
}
