/**
 * The HTTP calls: {@code POST /v1/replay} for gateways, {@code GET /v1/channels/{channel}/events} for people. On the server's event
 * loops; nothing here blocks, and nothing but the page being sent is held.
 */
@NullMarked
package dev.tidegate.replay.api;

import org.jspecify.annotations.NullMarked;
