package dev.tidegate.ingest.fallback;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RedisLinkTest {
    @ParameterizedTest
    @CsvSource({
        "6.2.6, standalone, false",
        "6.2.6, cluster, false",
        "7.0.0, standalone, false",
        "7.0.0, cluster, true",
        "10.1.2, cluster, true",
        "8, cluster, true",
        "unstable, cluster, false",
    })
    void shardedWhereItIsAClusterOf7OrLater(String version, String mode, boolean sharded) {
        String info = "# Server\r\nredis_version:" + version + "\r\nredis_git_sha1:00000000\r\nredis_mode:" + mode
                + "\r\nos:Linux\r\n";
        assertThat(RedisLink.wantsSharded(info)).isEqualTo(sharded);
    }
}
