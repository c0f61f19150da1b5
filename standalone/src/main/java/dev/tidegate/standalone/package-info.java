/**
 * {@code ./tidegate up}: backends and the three services in one JVM, each service a Spring context of its own that does not know of the others.
 *
 * <p>Nothing here serves anything: it starts, tells, and stops. What a service needs to know it is told by properties, the same ones that an
 * operator would set, so that what works here works in processes of their own.
 */
@NullMarked
package dev.tidegate.standalone;

import org.jspecify.annotations.NullMarked;
