package dev.tidegate.tokens;

import static org.assertj.core.api.Assertions.assertThat;

import com.nimbusds.jwt.JWTClaimsSet;
import dev.tidegate.tokens.JwtVerifier.Verdict;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

class RememberedTokensTest {
    private static final Instant NOW = Instant.parse("2026-11-24T12:00:00Z");

    private final AtomicReference<Instant> now = new AtomicReference<>(NOW);
    private final Clock clock = ((InstantSource) now::get).withZone(ZoneOffset.UTC);
    private final RememberedTokens tokens = new RememberedTokens(
            new JwtVerifier(Tokens.secret(), null, new JwtVerifier.Rules(null, null, Duration.ofSeconds(30)), clock),
            clock);

    private Verdict verdict(String token) {
        List<Verdict> verdicts = new ArrayList<>();
        tokens.verify(token, verdicts::add);
        assertThat(verdicts).hasSize(1);
        return verdicts.getFirst();
    }

    private static String token(String subject, int seconds) {
        return Tokens.hs256(
                new JWTClaimsSet.Builder()
                        .subject(subject)
                        .expirationTime(Date.from(NOW.plusSeconds(seconds)))
                        .build(),
                Tokens.SECRET);
    }

    @Test
    void judgesATokenOnceUntilItEnds() {
        // given
        String token = token("joe", 60);
        Verdict first = verdict(token);

        // when / then: the very same verdict, to the end of the skew and no longer
        assertThat(first).isInstanceOf(Verdict.Accepted.class);
        now.set(NOW.plusSeconds(90));
        assertThat(verdict(token)).isSameAs(first);
        now.set(NOW.plusSeconds(91));
        assertThat(verdict(token)).isInstanceOf(Verdict.Rejected.class);
        now.set(NOW);
        assertThat(verdict(token)).isNotSameAs(first).isEqualTo(first); // it was forgotten when it ended
    }

    @Test
    void remembersNoTokenThatIsNotGood() {
        // given
        String token = token("joe", 60);
        now.set(NOW.plusSeconds(100));
        assertThat(verdict(token)).isInstanceOf(Verdict.Rejected.class);

        // when
        now.set(NOW);

        // then
        assertThat(verdict(token)).isInstanceOf(Verdict.Accepted.class);
    }

    @Test
    void isBounded() {
        // given
        String first = token("first", 60);
        Verdict remembered = verdict(first);

        // when
        for (int i = 1; i <= RememberedTokens.REMEMBERED; i++) {
            verdict(token("s" + i, 60));
        }

        // then
        assertThat(verdict(first)).isNotSameAs(remembered);
    }
}
