/**
 * Who is where, across gateways, in Redis. Everything runs on the thread {@code presence}, but what event loops offer and Lettuce's
 * threads answer, which is handed to it. Redis may be away at any time: questions are then answered {@code unavailable}, and nothing
 * else is felt of it.
 */
@NullMarked
package dev.tidegate.gateway.presence;

import org.jspecify.annotations.NullMarked;
