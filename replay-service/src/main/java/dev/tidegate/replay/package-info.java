/**
 * Where the replay service is put together: {@link dev.tidegate.replay.ReplayApplication} starts it.
 */
@NullMarked
package dev.tidegate.replay;

import org.jspecify.annotations.NullMarked;
