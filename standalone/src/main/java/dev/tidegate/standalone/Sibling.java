package dev.tidegate.standalone;

import java.util.Map;
import org.springframework.context.ConfigurableApplicationContext;

/**
 * One service as this JVM starts it.
 *
 * @param name as it calls itself
 * @param portVariable the variable that changes its port, e.g. {@code TIDEGATE_INGEST_PORT}
 * @param defaultPort its port when nothing else is said
 * @param launcher its entry
 */
record Sibling(String name, String portVariable, int defaultPort, Launcher launcher) {

    /** The {@code run} of a service: returns when its server listens, throws when it cannot start. */
    @FunctionalInterface
    interface Launcher {
        ConfigurableApplicationContext run(Map<String, Object> overrides, String... arguments);
    }

    /** The variable by which others are told where it is, e.g. {@code TIDEGATE_INGEST}. */
    String addressVariable() {
        return portVariable.replaceFirst("_PORT$", "");
    }
}
