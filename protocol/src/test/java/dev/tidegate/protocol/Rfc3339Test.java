package dev.tidegate.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class Rfc3339Test {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "2026-11-24",
                "2026-11-24T06:19:19",
                "2026-11-24 06:19:19Z",
                "2026-11-24T06:19Z",
                "2026-11-24T06:19:19.Z",
                "2026-13-01T00:00:00Z",
                "2026-00-01T00:00:00Z",
                "2026-02-29T00:00:00Z",
                "1900-02-29T00:00:00Z",
                "2026-04-31T00:00:00Z",
                "2026-11-24T24:00:00Z",
                "2026-11-24T23:60:00Z",
                "2026-11-24T23:59:60Z",
                "2026-11-24T06:19:19+1:00",
                "2026-11-24T06:19:19+01:60",
                "2026-11-24T06:19:19+0100",
                "2026-11-24T06:19:19ZZ",
                "2026-11-24T06:19:19.12x4Z",
                "+2026-11-24T06:19:19Z",
                "2026-1x-24T06:19:19Z"
            })
    void otherSpellingsAreNoTime(String text) {
        assertThat(Rfc3339.toEpochMilli(Documents.utf8(text))).isEqualTo(Rfc3339.INVALID);
    }

    @Test
    void everyDayOfTenThousandYearsIsWhatItIsForJavaTime() {
        // given
        LocalDateTime day = LocalDateTime.of(0, 1, 1, 12, 34, 56);
        for (; day.getYear() < 10_000; day = day.plusDays(1)) {
            // when
            long millis = Rfc3339.toEpochMilli(Documents.utf8(day + "Z"));

            // then
            if (millis != day.toEpochSecond(ZoneOffset.UTC) * 1_000) {
                assertThat(millis).as("%s", day).isEqualTo(day.toEpochSecond(ZoneOffset.UTC) * 1_000);
            }
        }
    }

    @Test
    void anyInstantAndOffsetIsReadAsJavaTimeReadsIt() {
        Property.holds("RFC 3339 = java.time", 50_000, random -> {
            // given
            Instant instant = Instant.ofEpochSecond(
                    random.nextLong(-62_135_596_800L, 253_402_300_000L), random.nextInt(1_000_000_000));
            OffsetDateTime time = instant.atOffset(ZoneOffset.ofTotalSeconds(60 * random.nextInt(-1_080, 1_081)));
            String text = time.toString();
            if (text.indexOf(':') == text.lastIndexOf(':') || time.getYear() < 0 || time.getYear() > 9_999) {
                return;
            }

            // when
            long millis = Rfc3339.toEpochMilli(Documents.utf8(text));

            // then: java.time leaves out ":00" seconds, RFC 3339 does not
            long expected = text.matches(".{10}T..:..(Z|[+-].*)") ? Rfc3339.INVALID : instant.toEpochMilli();
            assertThat(millis).as(text).isEqualTo(expected);
        });
    }

    @Test
    void damagedTimesAreReadAsJavaTimeReadsThemOrNotAtAll() {
        Property.holds("RFC 3339, damaged", 50_000, random -> {
            // given
            byte[] b =
                    Documents.damaged(random, Documents.utf8("2026-11-24T06:19:19.123+01:00"), 1 + random.nextInt(2));

            // when
            long millis = Rfc3339.toEpochMilli(b);

            // then
            if (millis != Rfc3339.INVALID) {
                assertThat(millis).as("%s", Documents.text(b)).isEqualTo(javaTime(Documents.text(b)));
            }
        });
    }

    private static long javaTime(String text) {
        try {
            String nine = text.replaceFirst("(\\.[0-9]{9})[0-9]+", "$1");
            return OffsetDateTime.parse(nine).toInstant().toEpochMilli();
        } catch (DateTimeException e) {
            // java.time knows no offset beyond 18 hours, RFC 3339 up to 23:59
            String utc = text.substring(0, text.length() - 6) + "Z";
            long sign = text.charAt(text.length() - 6) == '-' ? 1 : -1;
            int minutes = Integer.parseInt(text.substring(text.length() - 5, text.length() - 3)) * 60
                    + Integer.parseInt(text.substring(text.length() - 2));
            return OffsetDateTime.parse(utc).toInstant().toEpochMilli() + sign * minutes * 60_000L;
        }
    }
}
