package dev.tidegate.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The tables that clients in other languages copy. */
class CodesTest {
    @Test
    void closeCodesCarryTheirRule() {
        // when
        List<String> table = new ArrayList<>();
        for (CloseCode c : CloseCode.values()) {
            table.add(c.number() + " " + (c.reconnect() ? "reconnect" : "stay away") + " " + c.defaultReason());
            assertThat(c.defaultReason().getBytes(StandardCharsets.UTF_8))
                    .hasSizeLessThanOrEqualTo(CloseCode.MAX_REASON_BYTES);
        }

        // then
        assertThat(table)
                .containsExactly(
                        "1000 stay away normal",
                        "1001 reconnect going away",
                        "1009 stay away frame too large",
                        "1011 reconnect internal error",
                        "4001 reconnect drain",
                        "4002 reconnect heartbeat missed",
                        "4003 reconnect cannot keep up",
                        "4004 reconnect too slow",
                        "4100 stay away bad frame",
                        "4101 stay away unauthenticated",
                        "4102 stay away token expired",
                        "4103 stay away forbidden",
                        "4104 stay away limit exceeded");
    }

    @Test
    void errorCodesHaveANameAndAnHttpStatus() {
        // when
        List<String> table = new ArrayList<>();
        for (ErrorCode c : ErrorCode.values()) {
            table.add(c.wire() + " " + c.httpStatus());
        }

        // then
        assertThat(table)
                .containsExactly(
                        "bad_request 400",
                        "unauthenticated 401",
                        "forbidden 403",
                        "unknown_namespace 404",
                        "channel_invalid 400",
                        "not_subscribed 409",
                        "already_subscribed 409",
                        "cursor_invalid 400",
                        "limit_exceeded 429",
                        "rate_limited 429",
                        "too_large 413",
                        "bad_request 415",
                        "unavailable 503",
                        "internal 500");
    }
}
