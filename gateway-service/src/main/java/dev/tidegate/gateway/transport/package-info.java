/**
 * The edge: WebFlux does the handshake, HTTP and SSE heads; then the Netty channel is handed to its shard. The only package
 * that knows WebFlux and Reactor Netty. Runs on the event loops of the server.
 */
@NullMarked
package dev.tidegate.gateway.transport;

import org.jspecify.annotations.NullMarked;
