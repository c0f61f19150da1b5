package dev.tidegate.ingest.api;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.ingest.admission.Claim;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.ErrorCode;
import java.util.List;
import org.junit.jupiter.api.Test;

class BatchResultsTest {
    private static final Answer STORED =
            new Answer.Taken("{\"id\":\"1\",\"status\":\"stored\"}", Answer.How.STORED, null);
    private static final Answer AWAY = new Answer.Refused(Problem.of(ErrorCode.UNAVAILABLE, "away"), null);
    private static final List<ChannelName> TWO = List.of(new ChannelName("a"), new ChannelName("b"));

    @Test
    void oneResultForEachItemInOrder() {
        // given
        BatchResults results = new BatchResults(List.of(
                new BatchResults.One(STORED),
                new BatchResults.Failed(Problem.of(ErrorCode.BAD_REQUEST, "data: \"missing\"")),
                new BatchResults.Several(TWO, List.of(STORED, STORED)),
                new BatchResults.Several(TWO, List.of(STORED, AWAY))));
        // then
        String one = "{\"id\":\"1\",\"status\":\"stored\"}";
        String bad = "{\"status\":\"failed\",\"code\":\"bad_request\",\"message\":\"data: \\\"missing\\\"\"}";
        String both = "{\"status\":\"stored\",\"results\":[{\"channel\":\"a\",\"id\":\"1\",\"status\":\"stored\"},"
                + "{\"channel\":\"b\",\"id\":\"1\",\"status\":\"stored\"}]}";
        String half = "{\"status\":\"failed\",\"code\":\"unavailable\",\"message\":\"channels: 1 of 2 failed: away\","
                + "\"results\":[{\"channel\":\"a\",\"id\":\"1\",\"status\":\"stored\"},"
                + "{\"channel\":\"b\",\"status\":\"failed\",\"code\":\"unavailable\",\"message\":\"away\"}]}";
        assertThat(new String(results.body(false), UTF_8))
                .isEqualTo("[" + one + "," + bad + "," + both + "," + half + "]");
        assertThat(new String(results.body(true), UTF_8))
                .isEqualTo(one + "\n" + bad + "\n" + both + "\n" + half + "\n");
        assertThat(results.nothingWasTaken()).isNull();
    }

    @Test
    void aBatchOfWhichNothingCouldBeTakenFailsWhole() {
        assertThat(new BatchResults(
                                List.of(new BatchResults.One(AWAY), new BatchResults.Several(TWO, List.of(AWAY, AWAY))))
                        .nothingWasTaken())
                .isNotNull()
                .satisfies(p -> assertThat(p.status()).isEqualTo(503))
                .satisfies(p -> assertThat(p.retryAfterSeconds()).isPositive());
        assertThat(new BatchResults(List.of(
                                new BatchResults.One(AWAY),
                                new BatchResults.Failed(Problem.of(ErrorCode.BAD_REQUEST, "x"))))
                        .nothingWasTaken())
                .isNull();
        assertThat(new BatchResults(List.of()).nothingWasTaken()).isNull();
    }

    @Test
    void theScopeIsLocalIfAnyIs() {
        Answer shared = new Answer.Taken("{}", Answer.How.REPEATED, Claim.Scope.SHARED);
        Answer local = new Answer.Refused(Problem.of(ErrorCode.BAD_REQUEST, "x"), Claim.Scope.LOCAL);
        assertThat(new BatchResults(List.of(new BatchResults.One(STORED))).scope())
                .isNull();
        assertThat(new BatchResults(List.of(new BatchResults.One(STORED), new BatchResults.One(shared))).scope())
                .isEqualTo(Claim.Scope.SHARED);
        assertThat(new BatchResults(List.of(new BatchResults.One(local), new BatchResults.One(shared))).scope())
                .isEqualTo(Claim.Scope.LOCAL);
    }
}
