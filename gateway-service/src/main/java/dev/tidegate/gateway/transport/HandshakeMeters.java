package dev.tidegate.gateway.transport;

import dev.tidegate.protocol.ErrorCode;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;

/**
 * {@code tidegate.gateway.handshakes}: counter by {@code format} (ws, sse) and {@code outcome} (opened, or the code of the
 * refusal). Any thread.
 */
final class HandshakeMeters {
    private final Counter opened;
    private final Map<ErrorCode, Counter> refused = new EnumMap<>(ErrorCode.class);

    HandshakeMeters(MeterRegistry registry, String format) {
        opened = counter(registry, format, "opened");
        for (ErrorCode code : ErrorCode.values()) {
            refused.put(code, counter(registry, format, code.wire()));
        }
    }

    private static Counter counter(MeterRegistry registry, String format, String outcome) {
        return Counter.builder("tidegate.gateway.handshakes")
                .description("Handshakes by what became of them")
                .tag("format", format)
                .tag("outcome", outcome)
                .register(registry);
    }

    void opened() {
        opened.increment();
    }

    void refused(ErrorCode code) {
        Objects.requireNonNull(refused.get(code)).increment();
    }
}
