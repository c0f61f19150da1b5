package dev.tidegate.perf.gatling;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class GatlingMainTest {
    @Test
    void assertionsAreReadFromTheConsole() {
        // given lines as Gatling 3.15 prints them
        // when, then
        assertThat(GatlingMain.assertionOf("whole: count of successful events is 30.0 : true (actual : 30.0)"))
                .isEqualTo(new GatlingMain.Asserted("whole: count of successful events is 30.0", true, "30.0"));
        assertThat(
                        GatlingMain.assertionOf(
                                "whole: count of successful events is 30.0 : false (Could not find stats matching assertion path List(whole))"))
                .isEqualTo(new GatlingMain.Asserted(
                        "whole: count of successful events is 30.0",
                        false,
                        "Could not find stats matching assertion path List(whole)"));
        assertThat(GatlingMain.assertionOf("> connect     |        30 |        30 |         0"))
                .isNull();
    }
}
