package dev.tidegate.redis;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RedisNodesTest {
    private static RedisNodes of(String url) {
        return RedisNodes.of(url, "test", Duration.ofSeconds(7));
    }

    @ParameterizedTest
    @CsvSource({
        "redis://a:7000, a:7000",
        "redis://a, a:6379",
        "rediss://user:secret@a:7000/3, a:7000",
        "'redis-sentinel://a:7000,b:7000#main', sentinels",
    })
    void oneServerIsAskedAgainAndAgain(String url, String shown) {
        // given
        RedisNodes one = of(url);

        // when, then
        assertThat(one.all()).hasSize(1);
        assertThat(one).hasToString(shown);
        one.next();
        assertThat(one).hasToString(shown);
    }

    @Test
    void severalNodesAreAskedInTurnAllInTheSameWay() {
        // given
        RedisNodes nodes = of("rediss://user:secret@a:7000,b:7001,c");

        // when, then
        assertThat(nodes).hasToString("a:7000");
        nodes.next();
        assertThat(nodes).hasToString("b:7001");
        nodes.next();
        assertThat(nodes.current().getHost()).isEqualTo("c");
        nodes.next();
        assertThat(nodes).hasToString("a:7000");
        assertThat(nodes.all()).allSatisfy(uri -> {
            assertThat(uri.isSsl()).isTrue();
            assertThat(uri.getTimeout()).isEqualTo(Duration.ofSeconds(7));
            assertThat(uri.getClientName()).isEqualTo("test");
            assertThat(uri.getCredentialsProvider()).isNotNull();
        });
    }

    @Test
    void aNodeOfAClusterIsKnownByItsInfo() {
        String info = "# Server\r\nredis_version:7.0.0\r\nredis_mode:%s\r\nos:Linux\r\n";
        assertThat(RedisNodes.tellsOfCluster(info.formatted("cluster"))).isTrue();
        assertThat(RedisNodes.tellsOfCluster(info.formatted("standalone"))).isFalse();
        assertThat(RedisNodes.tellsOfCluster("")).isFalse();
    }

    @ParameterizedTest
    @CsvSource({
        "7.0.0, cluster, true",
        "8.2.1, cluster, true",
        "8, cluster, true",
        "10.0.0, cluster, true",
        "6.2.11, cluster, false",
        "7.4.0, standalone, false",
        "7.4.0, sentinel, false",
        "unknown, cluster, false",
    })
    void shardedPubSubIsThatOfClustersOf7OrLater(String version, String mode, boolean sharded) {
        // given
        String info =
                "# Server\r\nredis_version:" + version + "\r\nredis_git_sha1:00000000\r\nredis_mode:" + mode + "\r\n";

        // when, then
        assertThat(RedisNodes.hasShardedPubSub(info)).isEqualTo(sharded);
        assertThat(RedisNodes.hasShardedPubSub("")).isFalse();
    }
}
