/**
 * The wire contract of Tidegate: what clients, producers and the three services say to each other. Plain values and
 * codecs on top of the JDK; any thread may use them.
 */
@NullMarked
package dev.tidegate.protocol;

import org.jspecify.annotations.NullMarked;
