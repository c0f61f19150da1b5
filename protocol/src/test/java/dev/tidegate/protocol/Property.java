package dev.tidegate.protocol;

import java.util.Random;
import java.util.function.Consumer;

/**
 * A property that has to hold for many random cases. The seed is printed; {@code -Dtidegate.seed=<seed>} repeats a run,
 * case by case, and a failing case names the seed with which it comes first.
 */
final class Property {
    private Property() {}

    /** Checks a property over a number of cases. */
    static void holds(String what, int cases, Consumer<Random> property) {
        long seed = seed();
        System.out.printf("property '%s': %d cases, seed %d%n", what, cases, seed);
        for (int i = 0; i < cases; i++) {
            check(what, seed + i, property);
        }
    }

    /** Checks a property over as many cases as the time allows: for fuzzing, where more is better. */
    static void holdsFor(String what, long millis, Consumer<Random> property) {
        long seed = seed();
        long end = System.nanoTime() + millis * 1_000_000;
        long i = 0;
        do {
            check(what, seed + i++, property);
        } while (System.nanoTime() - end < 0);
        System.out.printf("property '%s': %d cases in %d ms, seed %d%n", what, i, millis, seed);
    }

    private static void check(String what, long caseSeed, Consumer<Random> property) {
        try {
            property.accept(new Random(caseSeed));
        } catch (AssertionError | RuntimeException e) {
            throw new AssertionError("property '" + what + "' fails with -Dtidegate.seed=" + caseSeed, e);
        }
    }

    private static long seed() {
        Long given = Long.getLong("tidegate.seed");
        return given != null ? given : System.nanoTime();
    }
}
