package dev.tidegate.perf.gatling;

import static io.gatling.javaapi.core.CoreDsl.atOnceUsers;
import static io.gatling.javaapi.core.CoreDsl.rampUsers;
import static io.gatling.javaapi.core.CoreDsl.scenario;

import io.gatling.javaapi.core.Simulation;

/** Publishing over HTTP at a higher rate, with one user on each channel to see that all of it arrives. */
public final class PublishOverHttp extends Simulation {
    public PublishOverHttp() {
        Options options = Options.of(10, 10);
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
