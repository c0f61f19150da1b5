/**
 * What an operator may set: immutable records, bound from {@code tidegate.*}, checked at start. A wrong value ends the
 * start with {@code name: value (expected: …)}.
 */
@NullMarked
package dev.tidegate.replay.config;

import org.jspecify.annotations.NullMarked;
