package dev.tidegate.protocol;

/**
 * Reads RFC 3339 time stamps ({@code 2026-11-24T06:19:19.123Z}) from bytes, without allocating and without an exception
 * for a wrong one: producers choose how often that happens. Leap seconds ({@code :60}) count as wrong, as they do for
 * {@code java.time}, against which the tests hold this. Digits beyond milliseconds are cut off.
 */
final class Rfc3339 {
    /** Returned for what is no time stamp. */
    static final long INVALID = Long.MIN_VALUE;

    private static final int[] DAYS_BEFORE_MONTH = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};

    /** Days from 0000-01-01 to 1970-01-01 in the proleptic Gregorian calendar. */
    private static final long DAYS_TO_1970 = 719_528;

    private Rfc3339() {}

    /** Milliseconds since the epoch, or {@link #INVALID}. */
    static long toEpochMilli(byte[] b) {
        int n = b.length;
        if (n < 20 || b[4] != '-' || b[7] != '-' || (b[10] | 0x20) != 't' || b[13] != ':' || b[16] != ':') {
            return INVALID;
        }
        int year = two(b, 0) * 100 + two(b, 2);
        int month = two(b, 5);
        int day = two(b, 8);
        int second = seconds(two(b, 11), two(b, 14), two(b, 17));
        if (two(b, 0) < 0 || two(b, 2) < 0 || month < 1 || month > 12 || day < 1 || second < 0) {
            return INVALID;
        }
        if (day > daysOfMonth(year, month)) {
            return INVALID;
        }
        int i = 19;
        int millis = 0;
        if (b[i] == '.') {
            int first = ++i;
            for (int weight = 100; i < n && b[i] >= '0' && b[i] <= '9'; i++, weight /= 10) {
                millis += (b[i] - '0') * weight;
            }
            if (i == first) {
                return INVALID;
            }
        }
        int offset = offsetSeconds(b, i);
        if (offset == Integer.MIN_VALUE) {
            return INVALID;
        }
        return (epochDay(year, month, day) * 86_400 + second - offset) * 1_000 + millis;
    }

    private static long epochDay(int year, int month, int day) {
        int before = year - 1; // whole years, of which the leap ones are counted; year 0 is one
        int leapDays = year == 0 ? 0 : before / 4 - before / 100 + before / 400 + 1;
        int leapDay = month > 2 && leap(year) ? 1 : 0;
        return year * 365L + leapDays + DAYS_BEFORE_MONTH[month - 1] + leapDay + day - 1 - DAYS_TO_1970;
    }

    private static int daysOfMonth(int year, int month) {
        int days = DAYS_BEFORE_MONTH[month] - DAYS_BEFORE_MONTH[month - 1];
        return month == 2 && leap(year) ? days + 1 : days;
    }

    private static boolean leap(int year) {
        return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    }

    /** Seconds of the day, or -1. */
    private static int seconds(int hour, int minute, int second) {
        boolean ok = hour >= 0 && hour < 24 && minute >= 0 && minute < 60 && second >= 0 && second < 60;
        return ok ? hour * 3_600 + minute * 60 + second : -1;
    }

    /** The offset from UTC that must make up the rest, or {@link Integer#MIN_VALUE}. */
    private static int offsetSeconds(byte[] b, int i) {
        int left = b.length - i;
        if (left == 1 && (b[i] | 0x20) == 'z') {
            return 0;
        }
        if (left != 6 || (b[i] != '+' && b[i] != '-') || b[i + 3] != ':') {
            return Integer.MIN_VALUE;
        }
        int seconds = seconds(two(b, i + 1), two(b, i + 4), 0);
        if (seconds < 0) {
            return Integer.MIN_VALUE;
        }
        return b[i] == '-' ? -seconds : seconds;
    }

    /** Two digits, or a negative number. */
    private static int two(byte[] b, int i) {
        int tens = b[i] - '0';
        int ones = b[i + 1] - '0';
        return tens < 0 || tens > 9 || ones < 0 || ones > 9 ? Integer.MIN_VALUE / 1_000 : tens * 10 + ones;
    }
}
