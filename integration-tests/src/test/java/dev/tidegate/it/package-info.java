/**
 * What the product promises, checked where it is kept: services as processes of their own, real Kafka, Redis and PostgreSQL, clients that trust nobody.
 *
 * <p>Two sets of services are started once and shared: {@link Services#quiet()}, which nobody disturbs, and {@link Services#drilled()}, whose parts
 * are killed, frozen and started again. Tests keep apart by the names of their channels. Nothing here imports a service or the protocol's code.
 */
package dev.tidegate.it;
