package dev.tidegate.gateway.backplane;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RedisLinksTest {
    @ParameterizedTest
    @CsvSource({
        "7.0.0, cluster, true",
        "8.2.1, cluster, true",
        "10.0.0, cluster, true",
        "6.2.11, cluster, false",
        "7.4.0, standalone, false",
        "7.4.0, sentinel, false",
        "unknown, cluster, false",
    })
    void sharedPubSubIsUsedInClustersThatHaveIt(String version, String mode, boolean sharded) {
        // given
        String info = "# Server\r\nredis_version:" + version + "\r\nredis_mode:" + mode + "\r\nos:Linux\r\n";

        // when, then
        assertThat(RedisLinks.isSharded(info)).isEqualTo(sharded);
        assertThat(RedisLinks.isSharded("")).isFalse();
    }
}
