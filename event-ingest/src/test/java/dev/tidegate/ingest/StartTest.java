package dev.tidegate.ingest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.tidegate.ingest.config.AdmissionSettings;
import dev.tidegate.ingest.config.AuthSettings;
import dev.tidegate.ingest.config.FanoutSettings;
import dev.tidegate.ingest.config.NamespaceSettings;
import dev.tidegate.ingest.config.PostgresSettings;
import dev.tidegate.ingest.config.PublishSettings;
import dev.tidegate.ingest.config.RedisSettings;
import dev.tidegate.testsupport.Backends;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.annotation.Configuration;

/** Starts that fail, and the one line that says why. */
@Timeout(180)
class StartTest {
    @Configuration(proxyBeanMethods = false)
    @EnableConfigurationProperties({
        AdmissionSettings.class,
        AuthSettings.class,
        FanoutSettings.class,
        NamespaceSettings.class,
        PostgresSettings.class,
        PublishSettings.class,
        RedisSettings.class
    })
    static class SettingsAlone {}

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "tidegate.fanout.partitions | 0 | tidegate.fanout.partitions: 0 (expected: 1 to 10000)",
                "tidegate.fanout.partitions | many | tidegate.fanout.partitions: many (expected: int)",
                "tidegate.fanout.max-payload-bytes | 64KiB | 'tidegate.fanout.max-payload-bytes: 64KiB (expected: a size, such as 65536 or 64KB)'",
                "tidegate.fanout.max-payload-bytes | 900001B | tidegate.fanout.max-payload-bytes: 900001 (expected: 1 to 900000 bytes)",
                "tidegate.fanout.retention | 1ms | tidegate.fanout.retention: PT0.001S (expected: PT1S to PT876000H)",
                "tidegate.ingest.publish.compression | zip | tidegate.ingest.publish.compression: zip (expected: none, gzip, snappy, lz4 or zstd)",
                "tidegate.redis.url | http://x | tidegate.redis.url: (not shown) (expected: redis://host:port or rediss://host:port)",
                "tidegate.postgres.url | postgresql://secret@host | 'tidegate.postgres.url: (not shown) (expected: postgresql://user[:password]@host[:port]/database[?sslmode=disable|allow|prefer|require|verify-ca|verify-full])'",
                "tidegate.auth.hs256-secret | short | tidegate.auth.hs256-secret: (not shown) (expected: at least 32 bytes)",
                "tidegate.auth.jwks-url | ftp://x | tidegate.auth.jwks-url: ftp://x (expected: an http or https URL)",
                "tidegate.namespaces.[a*b].personal | true | tidegate.namespaces: a*b (expected: names of A-Z a-z 0-9 _ - . / @ # = ~ + ,)",
                "tidegate.ingest.admission.batch-max-size | 128MB | tidegate.ingest.admission.batch-max-size: 134217728B (expected: at most max-size, 67108864B)",
            })
    @DisplayName("A wrong setting is told by name, value and expectation")
    void wrongSettings(String name, String value, String line) {
        new ApplicationContextRunner()
                .withUserConfiguration(SettingsAlone.class)
                .withPropertyValues(name + "=" + value)
                .run(context -> assertThat(IngestApplication.reason(context.getStartupFailure()))
                        .isEqualTo(line));
    }

    @ParameterizedTest
    @CsvSource({"1024, 1024", "1024B, 1024", "64KB, 65536"})
    void aSizeIsANumberOfBytesOrHasAUnit(String value, int bytes) {
        new ApplicationContextRunner()
                .withUserConfiguration(SettingsAlone.class)
                .withPropertyValues("tidegate.fanout.max-payload-bytes=" + value)
                .run(context -> assertThat(context.getBean(FanoutSettings.class).maxPayload())
                        .isEqualTo(bytes));
    }

    @Test
    void aTakenPortIsTold() throws Exception {
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            Throwable failure = catchThrowable(
                    () -> IngestUnderTest.start("never-made", Map.of("server.port", taken.getLocalPort()))
                            .close());
            assertThat(IngestApplication.reason(failure))
                    .isEqualTo("server.port: " + taken.getLocalPort()
                            + " is taken (expected: a free port; TIDEGATE_INGEST_PORT sets it)");
        }
    }

    @Test
    @DisplayName("Without the development profile nobody is let in unasked, and no namespace is there")
    void aPlainStartIsClosed() {
        try (IngestUnderTest ingest =
                IngestUnderTest.start(Backends.unique("fanout"), Map.of("spring.profiles.active", "none"))) {
            assertThat(ingest.publish("a", "1").json("code")).isEqualTo("unknown_namespace");
            assertThat(ingest.publish("a", "1", "Authorization", "Bearer dev-service-token")
                            .status())
                    .isEqualTo(401);
        }
    }
}
