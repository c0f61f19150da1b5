package dev.tidegate.perf.gatling;

import static io.gatling.javaapi.core.CoreDsl.StringBody;
import static io.gatling.javaapi.core.CoreDsl.asLongAsDuring;
import static io.gatling.javaapi.core.CoreDsl.details;
import static io.gatling.javaapi.core.CoreDsl.dummy;
import static io.gatling.javaapi.core.CoreDsl.during;
import static io.gatling.javaapi.core.CoreDsl.exec;
import static io.gatling.javaapi.core.CoreDsl.global;
import static io.gatling.javaapi.core.CoreDsl.jsonPath;
import static io.gatling.javaapi.core.CoreDsl.pace;
import static io.gatling.javaapi.core.CoreDsl.pause;
import static io.gatling.javaapi.http.HttpDsl.http;
import static io.gatling.javaapi.http.HttpDsl.status;
import static io.gatling.javaapi.http.HttpDsl.ws;

import io.gatling.http.action.ws.WsInboundMessage;
import io.gatling.javaapi.core.ActionBuilder;
import io.gatling.javaapi.core.Assertion;
import io.gatling.javaapi.core.ChainBuilder;
import io.gatling.javaapi.core.Session;
import io.gatling.javaapi.http.HttpProtocolBuilder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/** The scenes that the simulations are made of. */
final class Play {
    static final String CONNECT = "connect";
    static final String SUBSCRIBE = "subscribe";
    static final String RECONNECT = "reconnect";
    static final String RESUME = "resume";
    static final String PUBLISH = "publish";

    /** One a user: whether it has everything, once, in order, without a hole; its time is that of its slowest live event. */
    static final String WHOLE = "whole";

    /** One a user: from its new connection to the last of what it had missed. */
    static final String CAUGHT_UP = "caught up";

    private static final String CHAIN = "chain";
    private static final String CHANNEL = "channel";
    private static final String CURSOR = "cursor";
    private static final String BACK_AT = "backAt";
    private static final String TARGET = "target";
    private static final String PUBLISHER = "publisher";
    private static final String TURN = "turn";
    private static final String BODY = "body";

    /** Frames kept for a user between two looks at them: its share of the rate for a look, and a replay. */
    private static final int BUFFER = 10_000;

    /** How often a user looks at what has come. Latencies do not suffer: a frame carries the time it was received at. */
    private static final Duration LOOK = Duration.ofMillis(100);

    /** For an answer, and for the others to be ready. */
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private final Options options;
    private final Stage stage;

    Play(Options options, Stage stage) {
        this.options = options;
        this.stage = stage;
    }

    HttpProtocolBuilder protocol() {
        return http.baseUrl(options.ingest())
                .wsBaseUrl("ws://" + options.gateway())
                .wsUnmatchedInboundMessageBufferSize(BUFFER)
                .shareConnections();
    }

    // ---- subscribers

    /** Connects and subscribes at the handshake; users share the channels evenly. */
    ChainBuilder subscribe() {
        return exec(session -> {
                    Chain chain = new Chain(stage.channel(stage.newSubscriber() % options.channels()));
                    return session.set(CHAIN, chain).set(CHANNEL, chain.channel());
                })
                .exec(ws(CONNECT)
                        .connect("/v1/ws?channel=#{channel}")
                        .subprotocol("tidegate.v1.json")
                        .await(PATIENCE)
                        .on(ws.checkTextMessage(SUBSCRIBE)
                                .matching(jsonPath("$.op").is("subscribed"))
                                .check(
                                        jsonPath("$.channel").isEL("#{channel}"),
                                        jsonPath("$.recovery").is("none"),
                                        jsonPath("$.cursor").saveAs(CURSOR))))
                .exitHereIfFailed()
                .exec(session -> {
                    chain(session).start(text(session, CURSOR));
                    stage.subscribed();
                    return session;
                });
    }

    /** Watches until publishing is over and everything has come; then tells whether it was all, once and in order. */
    ChainBuilder watchToTheEnd() {
        return watchUntil(
                        session ->
                                stage.publishingIsOver() && chain(session).has(stage.published(text(session, CHANNEL))),
                        Duration.ofSeconds(options.ramp() + 2L * options.duration() + options.drain())
                                .plus(PATIENCE))
                .exec(dummy(WHOLE, session -> chain(session).slowest()).withSuccess(this::whole))
                .exec(leave());
    }

    ActionBuilder leave() {
        return ws("close").close();
    }

    private boolean whole(Session session) {
        Chain chain = chain(session);
        int published = stage.published(chain.channel());
        if (!chain.has(published)) {
            System.err.println(chain.channel() + ": not all of " + published + " events have come");
        }
        chain.faults().forEach(f -> System.err.println(chain.channel() + ": " + f));
        return chain.has(published) && chain.faultless();
    }

    /** Drops the connection when the storm begins, comes back with its cursor, and is timed until it is whole again. */
    ChainBuilder throughTheStorm() {
        return watchUntil(session -> stage.act() != Stage.Act.CONNECTED, longest())
                .exec(ws("drop").close())
                .exec(session -> {
                    stage.wentAway();
                    return session.set(CURSOR, chain(session).cursor());
                })
                .exec(waitFor(() -> stage.act() == Stage.Act.BACK))
                .exec(session -> session.set(BACK_AT, System.currentTimeMillis())
                        .set(TARGET, stage.published(text(session, CHANNEL))))
                .exec(ws(RECONNECT)
                        .connect("/v1/ws?channel=#{channel}&after=#{cursor}")
                        .subprotocol("tidegate.v1.json")
                        .await(PATIENCE)
                        .on(ws.checkTextMessage(RESUME)
                                .matching(jsonPath("$.op").is("subscribed"))
                                .check(jsonPath("$.recovery").is("complete"))))
                .exitHereIfFailed()
                .exec(watchUntil(session -> chain(session).has(session.getInt(TARGET)), PATIENCE))
                .exec(dummy(CAUGHT_UP, session -> (int) (System.currentTimeMillis() - session.getLong(BACK_AT)))
                        .withSuccess(session -> chain(session).has(session.getInt(TARGET))));
    }

    private Duration longest() {
        return Duration.ofSeconds(options.ramp() + options.duration()).plus(PATIENCE);
    }

    private static ChainBuilder watchUntil(Predicate<Session> condition, Duration patience) {
        return asLongAsDuring(session -> !condition.test(session), patience)
                .on(pause(LOOK).exec(look()));
    }

    private static ActionBuilder look() {
        return ws.processUnmatchedMessages((messages, session) -> {
            take(messages, session);
            return session;
        });
    }

    private static void take(List<WsInboundMessage> messages, Session session) {
        for (WsInboundMessage m : messages) {
            if (m instanceof WsInboundMessage.Text text) {
                chain(session).take(text.message(), text.timestamp());
            }
        }
    }

    // ---- publishers

    /** Publishes at this user's share of the rate, to channels that no other publisher has, once everybody is subscribed. */
    ChainBuilder publish() {
        Duration interval = Duration.ofNanos((long) (1e9 * options.publishers() / options.rate()));
        return exec(session -> session.set(PUBLISHER, stage.newPublisher()).set(TURN, 0))
                .exec(waitFor(stage::everybodyIsSubscribed))
                .exec(during(Duration.ofSeconds(options.duration()))
                        .on(pace(interval).exec(this::nextEvent).exec(post())))
                .exec(session -> {
                    stage.publisherDone();
                    return session;
                });
    }

    private Session nextEvent(Session session) {
        int publisher = session.getInt(PUBLISHER);
        int turn = session.getInt(TURN);
        // Of the channels, those that are publisher, publisher + publishers, …: there is at least one for each.
        int mine = (options.channels() - publisher + options.publishers() - 1) / options.publishers();
        String channel = stage.channel(publisher + options.publishers() * (turn % mine));
        String body = "{\"n\":" + stage.next(channel) + ",\"t\":" + System.currentTimeMillis() + ",\"pad\":\""
                + "x".repeat(80) + "\"}";
        return session.set(TURN, turn + 1).set(CHANNEL, channel).set(BODY, body);
    }

    private static ActionBuilder post() {
        return http(PUBLISH)
                .post("/v1/channels/#{channel}/events")
                .header("Content-Type", "application/json")
                .body(StringBody("#{body}"))
                .check(status().is(201), jsonPath("$.cursor").exists());
    }

    // ---- the director of a storm

    /** Lets a third of the time pass, cuts everybody, and calls them back after another third. */
    ChainBuilder direct() {
        Duration third = Duration.ofMillis(1000L * options.duration() / 3);
        return exec(waitFor(stage::everybodyIsSubscribed))
                .pause(third)
                .exec(begin(Stage.Act.AWAY))
                .exec(waitFor(stage::everybodyIsAway))
                .pause(third)
                .exec(begin(Stage.Act.BACK));
    }

    private ChainBuilder begin(Stage.Act act) {
        return exec(session -> {
            stage.begin(act);
            return session;
        });
    }

    private ChainBuilder waitFor(java.util.function.BooleanSupplier condition) {
        return asLongAsDuring(session -> !condition.getAsBoolean(), longest()).on(pause(LOOK));
    }

    // ---- what must hold

    /**
     * Nothing failed, every user was whole, and no request was slower than the bound. Medians are asserted for their
     * figures, which a result keeps.
     */
    Assertion[] assertions() {
        return all(List.of()).toArray(Assertion[]::new);
    }

    /** Besides, everybody came back and caught up. */
    Assertion[] stormAssertions() {
        List<Assertion> more = new ArrayList<>(everybody(RESUME));
        more.addAll(everybody(CAUGHT_UP));
        return all(more).toArray(Assertion[]::new);
    }

    /** Of a ramp: everybody got in. */
    Assertion[] connectAssertions() {
        List<Assertion> all = new ArrayList<>();
        all.add(global().failedRequests().count().is(0L));
        all.addAll(everybody(CONNECT));
        all.addAll(everybody(SUBSCRIBE));
        return all.toArray(Assertion[]::new);
    }

    private List<Assertion> all(List<Assertion> more) {
        List<Assertion> all = new ArrayList<>();
        all.add(global().failedRequests().count().is(0L));
        all.addAll(everybody(SUBSCRIBE));
        all.addAll(everybody(WHOLE));
        all.addAll(quick(PUBLISH));
        all.addAll(more);
        return all;
    }

    private List<Assertion> everybody(String scene) {
        List<Assertion> out = new ArrayList<>();
        out.add(details(scene).successfulRequests().count().is((long) options.users()));
        out.addAll(quick(scene));
        return out;
    }

    private List<Assertion> quick(String scene) {
        return List.of(
                details(scene).responseTime().percentile(50.0).lt(options.p99()),
                details(scene).responseTime().percentile(99.0).lt(options.p99()));
    }

    private static String text(Session session, String name) {
        String value = session.getString(name);
        if (value == null) {
            throw new IllegalStateException("the user has no " + name + " yet");
        }
        return value;
    }

    private static Chain chain(Session session) {
        Chain chain = session.get(CHAIN);
        if (chain == null) {
            throw new IllegalStateException("the user has no chain yet");
        }
        return chain;
    }
}
