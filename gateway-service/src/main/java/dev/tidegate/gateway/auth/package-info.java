/**
 * Who a client is and what it may do. Stateless, any thread.
 */
@NullMarked
package dev.tidegate.gateway.auth;

import org.jspecify.annotations.NullMarked;
