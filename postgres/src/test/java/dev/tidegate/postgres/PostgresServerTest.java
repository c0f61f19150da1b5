package dev.tidegate.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.r2dbc.postgresql.PostgresqlConnectionConfiguration;
import io.r2dbc.postgresql.client.SSLMode;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.postgresql.ds.PGSimpleDataSource;

class PostgresServerTest {
    private static final String SETTING = "tidegate.postgres.url";

    @Test
    void aUrlIsTakenApart() {
        // given
        String url = "postgresql://al%40ice:se%2Fcr+et@db.example:6000/tide%20gate?sslmode=require";

        // when
        PostgresServer server = PostgresServer.parse(SETTING, url);

        // then
        assertThat(server)
                .isEqualTo(new PostgresServer("db.example", 6000, "tide gate", "al@ice", "se/cr+et", "require"));
        assertThat(server).hasToString("db.example:6000/tide gate");
    }

    @Test
    void portPasswordAndEncryptionMayBeMissing() {
        assertThat(PostgresServer.parse(SETTING, "postgres://me@db/tidegate"))
                .isEqualTo(new PostgresServer("db", 5432, "tidegate", "me", null, null));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "  "})
    void noUrlIsNoServer(String url) {
        assertThat(PostgresServer.parse(SETTING, url)).isNull();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "secret",
                "postgresql://secret@host",
                "postgresql://secret@host/",
                "postgresql://host/secret",
                "jdbc:postgresql://secret@host/db",
                "mysql://secret@host/db",
                "postgresql://u@h/d?x=secret",
                "postgresql://u:secret@h/d?sslmode=maybe",
                "postgresql://u:secret word@h/d",
            })
    void aWrongUrlIsNotShown(String url) {
        assertThatThrownBy(() -> PostgresServer.parse(SETTING, url))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "tidegate.postgres.url: (not shown) (expected: postgresql://user[:password]@host[:port]/database"
                                + "[?sslmode=disable|allow|prefer|require|verify-ca|verify-full])");
    }

    @ParameterizedTest
    @ValueSource(strings = {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})
    void bothDriversKnowHowToEncrypt(String mode) {
        // given
        PostgresServer server = PostgresServer.parse(SETTING, "postgresql://me:secret@db/tidegate?sslmode=" + mode);

        // when
        PostgresqlConnectionConfiguration r2dbc =
                server.r2dbc("test", Duration.ofSeconds(1)).build();
        PGSimpleDataSource jdbc = server.jdbc("test", 1, 1);

        // then
        assertThat(SSLMode.fromValue(mode).name()).isEqualToIgnoringCase(mode.replace('-', '_'));
        assertThat(r2dbc.toString())
                .contains("host='db'", "database='tidegate'")
                .doesNotContain("secret");
        assertThat(jdbc.getSslMode()).isEqualTo(mode);
    }
}
