/**
 * Redis, as far as the service that publishes and the one that listens must agree: which servers {@code tidegate.redis.url} names, whether
 * they are a cluster, whether it has sharded Pub/Sub, and how a link to either is made ({@link dev.tidegate.redis.RedisNodes}). What is sent over it, and what is done
 * when it is away, are the services' own. Any thread; nothing here blocks.
 */
@NullMarked
package dev.tidegate.redis;

import org.jspecify.annotations.NullMarked;
