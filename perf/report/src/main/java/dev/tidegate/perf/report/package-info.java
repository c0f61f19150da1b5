/**
 * What every result of a ruler has in common: the machine, the JVM and the commit it was measured on, the file it lies
 * in, and the plots drawn from it. Used by one thread, at the end of a run.
 */
@NullMarked
package dev.tidegate.perf.report;

import org.jspecify.annotations.NullMarked;
