package dev.tidegate.perf.gatling;

import static io.gatling.javaapi.core.CoreDsl.rampUsers;
import static io.gatling.javaapi.core.CoreDsl.scenario;

import io.gatling.javaapi.core.Simulation;

/** Users connect and subscribe at a steady pace, stay for a while, and go. */
public final class ConnectRamp extends Simulation {
    public ConnectRamp() {
        Options options = Options.of(500, 50);
        Play play = new Play(options, new Stage(options.users(), 0));
        setUp(scenario("subscribers")
                        .exec(play.subscribe())
                        .pause(options.duration())
                        .exec(play.leave())
                        .injectOpen(rampUsers(options.users()).during(options.ramp())))
                .protocols(play.protocol())
                .assertions(play.connectAssertions());
    }
}
