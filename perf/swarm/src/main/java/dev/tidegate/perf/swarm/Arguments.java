package dev.tidegate.perf.swarm;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Command line of the form {@code --name value}; a name without a value is a flag. Each is asked for once, then {@link #done}. */
final class Arguments {
    /** A wrong command line; the message is for the user. */
    static final class Wrong extends RuntimeException {
        private static final long serialVersionUID = 1;

        Wrong(String message) {
            super(message);
        }
    }

    private static final String FLAG = "true";

    private final Map<String, List<String>> given = new LinkedHashMap<>();

    Arguments(List<String> words) {
        for (int i = 0; i < words.size(); i++) {
            String word = words.get(i);
            if (!word.startsWith("--")) {
                throw new Wrong(word + " (expected: --name value)");
            }
            boolean hasValue = i + 1 < words.size() && !words.get(i + 1).startsWith("--");
            given.computeIfAbsent(word.substring(2), k -> new ArrayList<>()).add(hasValue ? words.get(++i) : FLAG);
        }
    }

    String text(String name, String fallback) {
        List<String> values = given.remove(name);
        return values == null ? fallback : values.getLast();
    }

    boolean flag(String name) {
        String value = text(name, "false");
        if (!value.equals(FLAG) && !value.equals("false")) {
            throw new Wrong("--" + name + ": " + value + " (expected: nothing, true or false)");
        }
        return value.equals(FLAG);
    }

    /** Every value given to this name; values may also be listed with commas. */
    List<String> all(String name, String fallback) {
        List<String> values = given.remove(name);
        return (values == null ? List.of(fallback) : values)
                .stream()
                        .flatMap(v -> Arrays.stream(v.split(",", -1)))
                        .map(String::strip)
                        .filter(v -> !v.isEmpty())
                        .toList();
    }

    int integer(String name, int fallback, int min, int max) {
        double v = decimal(name, fallback, min, max);
        if (v != Math.rint(v)) {
            throw new Wrong("--" + name + ": " + v + " (expected: a whole number)");
        }
        return (int) v;
    }

    long whole(String name, long fallback) {
        String value = text(name, Long.toString(fallback));
        try {
            return Long.parseLong(value);
        } catch (NumberFormatException e) {
            throw new Wrong("--" + name + ": " + value + " (expected: a whole number)");
        }
    }

    double decimal(String name, double fallback, double min, double max) {
        String value = text(name, Double.toString(fallback));
        try {
            double v = Double.parseDouble(value);
            if (v >= min && v <= max) {
                return v;
            }
        } catch (NumberFormatException e) {
            // told below, as any other value out of range
        }
        throw new Wrong(
                String.format(Locale.ROOT, "--%s: %s (expected: %s to %s)", name, value, plain(min), plain(max)));
    }

    <E extends Enum<E>> E one(String name, E fallback, Class<E> of) {
        String value = text(name, fallback.name());
        return parse("--" + name, value, of);
    }

    static <E extends Enum<E>> E parse(String what, String value, Class<E> of) {
        for (E e : of.getEnumConstants()) {
            if (e.name().equalsIgnoreCase(value)) {
                return e;
            }
        }
        throw new Wrong(what + ": " + value + " (expected: "
                + String.join(
                        ", ",
                        Arrays.stream(of.getEnumConstants())
                                .map(e -> e.name().toLowerCase(Locale.ROOT))
                                .toList())
                + ")");
    }

    /** Refuses what nobody has asked for. */
    void done() {
        if (!given.isEmpty()) {
            throw new Wrong("--" + given.keySet().iterator().next() + " (expected: one of the options of --help)");
        }
    }

    private static String plain(double v) {
        return v == Math.rint(v) ? Long.toString((long) v) : Double.toString(v);
    }
}
