/**
 * From a record to the sockets: interest table, dispatcher (tailer thread), shards (event loops).
 */
@NullMarked
package dev.tidegate.gateway.fanout;

import org.jspecify.annotations.NullMarked;
