/**
 * One client's connection: its frames in, its answers out, its subscriptions. Confined to the event loop of the
 * connection; knows Netty, but neither Spring nor Reactor.
 */
@NullMarked
package dev.tidegate.gateway.session;

import org.jspecify.annotations.NullMarked;
