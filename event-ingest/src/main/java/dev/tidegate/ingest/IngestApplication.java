package dev.tidegate.ingest;

import dev.tidegate.ingest.delivery.Deliveries;
import dev.tidegate.ingest.publish.FanoutTopic;
import dev.tidegate.ingest.publish.StartFailure;
import dev.tidegate.ingest.rehome.Rehomer;
import java.time.Duration;
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
public final class IngestApplication {
    private static final Logger log = LoggerFactory.getLogger(IngestApplication.class);

    /** What PostgreSQL may need to say that the spool is empty; without an answer, the service starts all the same. */
    private static final Duration DIRECT_WITHIN = Duration.ofSeconds(5);

    private IngestApplication() {}

    /** Starts the service; a start that fails says why in one line and ends the process with 2. */
    @SuppressWarnings("SystemOut") // the logging system may not be there yet, or not any more
    public static void main(String[] args) {
        try {
            run(Map.of(), args);
        } catch (SpringApplication.AbandonedRunException e) {
            throw e;
        } catch (Throwable e) {
            System.err.println("event-ingest cannot start: " + reason(e));
            System.exit(2);
        }
    }

    /**
     * Starts the service and returns when it takes events; while Kafka is not there, it waits and says so. Its HTTP port
     * is open before that, answering {@code 503} and not ready.
     *
     * @param overrides properties that win over every other source
     * @throws StartFailure if the topic cannot be used
     */
    public static ConfigurableApplicationContext run(Map<String, Object> overrides, String... args) {
        ConfigurableApplicationContext context = new SpringApplicationBuilder(IngestConfiguration.class)
                .web(WebApplicationType.REACTIVE)
                .properties("spring.config.name=ingest")
                .listeners(new Overrides(Map.copyOf(overrides)))
                .run(args);
        try {
            context.getBean(FanoutTopic.class).awaitReady();
            context.getBean(Deliveries.class).awaitDirect(DIRECT_WITHIN);
            context.getBeanProvider(Rehomer.class).ifAvailable(Rehomer::start);
            String port = context.getEnvironment().getProperty("local.server.port");
            log.info(
                    "event-ingest ready on http://127.0.0.1:{} (pid {})",
                    port,
                    ProcessHandle.current().pid());
            return context;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            context.close();
            throw new StartFailure("interrupted while waiting for Kafka");
        } catch (RuntimeException e) {
            context.close();
            throw e;
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

    private static String expected(BindException e) {
        return e.getTarget().getType().resolve() == DataSize.class
                ? "a size, such as 65536 or 64KB"
                : String.valueOf(e.getTarget().getType());
    }

    /** One line for the person who started it: the most specific that any of the causes says. */
    static String reason(Throwable e) {
        String last = e.getClass().getSimpleName();
        String setting = null;
        for (@Nullable Throwable t = e; t != null; t = t.getCause()) {
            if (t instanceof PortInUseException p) {
                return "server.port: " + p.getPort()
                        + " is taken (expected: a free port; TIDEGATE_INGEST_PORT sets it)";
            }
            if (t instanceof BindException b && b.getProperty() != null) {
                setting = b.getProperty().getName() + ": " + b.getProperty().getValue() + " (expected: " + expected(b)
                        + ")";
            }
            String message = t.getMessage();
            if (message != null && !message.isBlank()) {
                last = message.lines().findFirst().orElse(message);
            }
        }
        return setting == null || last.contains("(expected: ") ? last : setting;
    }
}
