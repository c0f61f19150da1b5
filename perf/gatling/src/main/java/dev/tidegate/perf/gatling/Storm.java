package dev.tidegate.perf.gatling;

import static io.gatling.javaapi.core.CoreDsl.atOnceUsers;
import static io.gatling.javaapi.core.CoreDsl.rampUsers;
import static io.gatling.javaapi.core.CoreDsl.scenario;

import io.gatling.javaapi.core.Simulation;

/** Everybody's connection is dropped at once; all come back with their cursors and catch up, while publishing goes on. */
public final class Storm extends Simulation {
    public Storm() {
        Options options = Options.of(100, 10);
        Stage stage = new Stage(options.users(), options.publishers());
        Play play = new Play(options, stage);
        setUp(
                        scenario("subscribers")
                                .exec(play.subscribe())
                                .exec(play.throughTheStorm())
                                .exec(play.watchToTheEnd())
                                .injectOpen(rampUsers(options.users()).during(options.ramp())),
                        scenario("publishers").exec(play.publish()).injectOpen(atOnceUsers(options.publishers())),
                        scenario("director").exec(play.direct()).injectOpen(atOnceUsers(1)))
                .protocols(play.protocol())
                .assertions(play.stormAssertions());
    }
}
