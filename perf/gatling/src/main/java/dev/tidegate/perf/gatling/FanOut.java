package dev.tidegate.perf.gatling;

import static io.gatling.javaapi.core.CoreDsl.atOnceUsers;
import static io.gatling.javaapi.core.CoreDsl.rampUsers;
import static io.gatling.javaapi.core.CoreDsl.scenario;

import io.gatling.javaapi.core.Simulation;

/** Every user subscribes to one channel; events come over HTTP. */
public final class FanOut extends Simulation {
    public FanOut() {
        Options options = Options.of(100, 1);
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
