package dev.tidegate.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class ProblemDetailsTest {
    @Test
    void membersStandInTheirOrderAndTextIsEscaped() {
        // when
        byte[] body = ProblemDetails.encode(413, "Content Too Large", ErrorCode.TOO_LARGE, "data: 9 \"bytes\"");

        // then
        assertThat(new String(body, StandardCharsets.UTF_8))
                .isEqualTo("{\"type\":\"about:blank\",\"title\":\"Content Too Large\",\"status\":413,"
                        + "\"code\":\"too_large\",\"detail\":\"data: 9 \\\"bytes\\\"\"}");
    }
}
