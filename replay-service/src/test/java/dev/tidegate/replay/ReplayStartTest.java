package dev.tidegate.replay;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.replay.config.FanoutSettings;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.annotation.Configuration;

/** Settings that another service takes are taken here, and the one line that says what is wrong with one. */
class ReplayStartTest {
    @Configuration(proxyBeanMethods = false)
    @EnableConfigurationProperties(FanoutSettings.class)
    static class SettingsAlone {}

    private static ApplicationContextRunner with(String value) {
        return new ApplicationContextRunner()
                .withUserConfiguration(SettingsAlone.class)
                .withPropertyValues("tidegate.fanout.max-payload-bytes=" + value);
    }

    @ParameterizedTest
    @CsvSource({"1024, 1024", "1024B, 1024", "64KB, 65536"})
    void aSizeIsANumberOfBytesOrHasAUnit(String value, long bytes) {
        with(value)
                .run(context -> assertThat(context.getBean(FanoutSettings.class)
                                .maxPayloadBytes()
                                .toBytes())
                        .isEqualTo(bytes));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "64KiB | 'tidegate.fanout.max-payload-bytes: 64KiB (expected: a size, such as 65536 or 64KB)'",
                "900001B | tidegate.fanout.max-payload-bytes: 900001 bytes (expected: 1 to 900000 bytes)",
            })
    void aWrongOneIsToldByNameValueAndExpectation(String value, String line) {
        with(value)
                .run(context -> assertThat(ReplayApplication.reason(context.getStartupFailure()))
                        .isEqualTo(line));
    }
}
