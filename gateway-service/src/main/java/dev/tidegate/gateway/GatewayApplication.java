package dev.tidegate.gateway;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.springframework.boot.Banner;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.ConfigurableApplicationContext;

/** Starts the gateway service. */
public final class GatewayApplication {
    private GatewayApplication() {}

    public static void main(String[] args) {
        run(Map.of(), args);
    }

    /**
     * Starts a gateway; returns when its server listens. It is ready (health, log line) once its tailer has caught up.
     *
     * @param overrides properties that count more than configuration files and the environment, as if they were
     *     arguments of the command line
     * @param args arguments of the command line; of two for one property the last counts
     */
    public static ConfigurableApplicationContext run(Map<String, Object> overrides, String... args) {
        return start(List.of(GatewayConfiguration.class), overrides, args);
    }

    static ConfigurableApplicationContext start(List<Class<?>> sources, Map<String, Object> overrides, String... args) {
        List<String> all = new ArrayList<>();
        overrides.forEach((name, value) -> all.add("--" + name + "=" + value));
        all.addAll(List.of(args));
        return new SpringApplicationBuilder(sources.toArray(Class<?>[]::new))
                .web(WebApplicationType.REACTIVE)
                .bannerMode(Banner.Mode.OFF)
                // Not "application": three services may live on one class path.
                .properties("spring.config.name=gateway", "spring.application.name=gateway-service")
                .run(all.toArray(String[]::new));
    }
}
