/**
 * The gateway: main class and composition root, where everything is put together in one place.
 */
@NullMarked
package dev.tidegate.gateway;

import org.jspecify.annotations.NullMarked;
