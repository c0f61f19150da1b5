/**
 * Who may read history: people by their tokens, gateways by the service token. Stateless but for remembered tokens; any
 * thread.
 */
@NullMarked
package dev.tidegate.replay.access;

import org.jspecify.annotations.NullMarked;
