package dev.tidegate.perf.gatling;

import static io.gatling.javaapi.core.CoreDsl.atOnceUsers;
import static io.gatling.javaapi.core.CoreDsl.rampUsers;
import static io.gatling.javaapi.core.CoreDsl.scenario;

import io.gatling.javaapi.core.Simulation;

/** Every user has a channel of its own; each event goes to one user. */
public final class Sparse extends Simulation {
    public Sparse() {
        Options options = Options.of(200, 200);
        Stage stage = new Stage(options.users(), options.publishers());
        Play play = new Play(options, stage);
        setUp(
                        scenario("subscribers")
                                .exec(play.subscribe())
                                .exec(play.watchToTheEnd())
                                .injectOpen(rampUsers(options.users()).during(options.ramp())),
                        scenario("publishers").exec(play.publish()).injectOpen(atOnceUsers(options.publishers())))
                .protocols(play.protocol())
                .assertions(play.assertions());
    }
}
