package dev.tidegate.ingest.admission;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tidegate.ingest.config.AuthSettings;
import java.time.Clock;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class AuthenticatorTest {
    private static final AuthSettings NOTHING = new AuthSettings(
            false, null, null, null, null, Duration.ZERO, Duration.ofMinutes(5), Duration.ofHours(4), null);

    private static Authenticator authenticator(String serviceToken) {
        return new Authenticator(serviceToken, new TokenVerifier(NOTHING, Clock.systemUTC()));
    }

    @Test
    void withoutTokenNobodyIsAnybody() {
        assertThat(authenticator("s".repeat(16)).authenticate(null, "alice").join())
                .isEqualTo(Publisher.ANONYMOUS);
    }

    @Test
    void aServiceSpeaksForItsClient() {
        // given
        Authenticator authenticator = authenticator("s".repeat(16));
        String bearer = "bearer " + "s".repeat(16);
        // then
        assertThat(authenticator.authenticate(bearer, null).join()).isEqualTo(new Publisher.Service(null));
        assertThat(authenticator.authenticate(bearer, "J%C3%B6%22e").join()).isEqualTo(new Publisher.Service("Jö\"e"));
        assertThatThrownBy(() -> authenticator.authenticate(bearer, "%zz").join())
                .hasMessageContaining("Tidegate-Subject");
    }

    @Test
    void aWrongTokenIsRefusedAndNotTakenForNone() {
        for (String header : new String[] {"Bearer " + "s".repeat(15), "Bearer ", "Basic abc", "", "s".repeat(16)}) {
            assertThatThrownBy(() -> authenticator("s".repeat(16))
                            .authenticate(header, null)
                            .join())
                    .hasMessageContaining("Authorization: ");
        }
        // and no token is no service's where none is configured
        assertThatThrownBy(
                        () -> authenticator(null).authenticate("Bearer ", null).join())
                .hasMessageContaining("Authorization: ");
    }
}
