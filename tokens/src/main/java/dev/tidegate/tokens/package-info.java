/**
 * What a bearer token says and whether it is to be believed, for every service that takes one: a token must be worth the
 * same at each. Any thread; nothing blocks. Knows neither Spring nor HTTP servers; what an identity may do where is the
 * services' own.
 */
@NullMarked
package dev.tidegate.tokens;

import org.jspecify.annotations.NullMarked;
