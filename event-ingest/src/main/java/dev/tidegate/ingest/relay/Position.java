package dev.tidegate.ingest.relay;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Which rows the last transaction of a relay held; committed with them, as the metadata of an offset:
 * {@code 1;<digest of the last row>;<runs>}, where a run is {@code <first>+<count>} or {@code <first>}, numbers are in
 * base 36, and runs are separated by commas. Immutable.
 *
 * @param digest of the last row
 * @param seqs their numbers, in the order of relaying
 */
record Position(String digest, List<Long> seqs) {
    /** Longest encoded form; brokers take 4,096 bytes ({@code offset.metadata.max.bytes}). */
    static final int MAX_CHARACTERS = 3_500;

    private static final String VERSION = "1";
    private static final int RADIX = 36;

    /** Longest run in characters: two numbers, of 64 and 32 bits, a plus and a comma. */
    private static final int MAX_RUN = 13 + 7 + 2;

    /** What stands before the runs. */
    private static final int HEAD = 20;

    private static final int MAX_RUN_LENGTH = 1_000_000;

    Position {
        seqs = List.copyOf(seqs);
    }

    static Position of(List<RelayRow> rows) {
        return new Position(
                rows.getLast().digest(), rows.stream().map(RelayRow::seq).toList());
    }

    /** As many of the rows, from the first, as a position can name; at least one if there is one. */
    static List<RelayRow> fitting(List<RelayRow> rows) {
        int room = MAX_CHARACTERS - HEAD;
        long next = Long.MIN_VALUE;
        for (int i = 0; i < rows.size(); i++) {
            long seq = rows.get(i).seq();
            if (seq != next) {
                room -= MAX_RUN;
                if (room < 0) {
                    return rows.subList(0, i);
                }
            }
            next = seq + 1;
        }
        return rows;
    }

    long last() {
        return seqs.getLast();
    }

    String encode() {
        StringBuilder out =
                new StringBuilder().append(VERSION).append(';').append(digest).append(';');
        int i = 0;
        while (i < seqs.size()) {
            long first = seqs.get(i);
            int count = 1;
            while (i + count < seqs.size() && seqs.get(i + count) == first + count) {
                count++;
            }
            out.append(i == 0 ? "" : ",").append(Long.toString(first, RADIX));
            if (count > 1) {
                out.append('+').append(Integer.toString(count, RADIX));
            }
            i += count;
        }
        return out.toString();
    }

    /** Empty if it is none of ours: another hand has written there, or a later version. */
    static Optional<Position> decode(String text) {
        String[] parts = text.split(";", -1);
        if (parts.length != 3 || !parts[0].equals(VERSION)) {
            return Optional.empty();
        }
        List<Long> seqs = new ArrayList<>();
        try {
            for (String run : parts[2].split(",", -1)) {
                int plus = run.indexOf('+', 1);
                long first = Long.parseLong(plus < 0 ? run : run.substring(0, plus), RADIX);
                int count = plus < 0 ? 1 : Integer.parseInt(run.substring(plus + 1), RADIX);
                if (count < 1 || count > MAX_RUN_LENGTH) {
                    return Optional.empty();
                }
                for (int i = 0; i < count; i++) {
                    seqs.add(first + i);
                }
            }
        } catch (NumberFormatException e) {
            return Optional.empty();
        }
        return Optional.of(new Position(parts[1], seqs));
    }
}
