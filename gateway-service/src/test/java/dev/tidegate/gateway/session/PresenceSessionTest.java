package dev.tidegate.gateway.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.gateway.auth.Identity;
import dev.tidegate.gateway.auth.TokenVerifier;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.PresenceMember;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What sessions tell of themselves, and are told of others. */
class PresenceSessionTest {
    private static final Identity ANN = new Identity("ann", Long.MAX_VALUE, null, null);
    private static final ChannelName C = new ChannelName("c");
    private static final String SUBSCRIBE = "{\"op\":\"subscribe\",\"channel\":\"c\"}";
    private static final String ASK = "{\"op\":\"presence\",\"id\":1,\"channel\":\"c\"}";

    private ShardUnderTest shard;

    @BeforeEach
    void start() throws InterruptedException {
        shard = new ShardUnderTest(ShardUnderTest.LIMITS);
        shard.presence.covered = true;
    }

    private ShardUnderTest.Peer connect(Identity who) {
        ShardUnderTest.Peer p = shard.connect(who, Handshake.WireFormat.WEBSOCKET, List.of());
        p.read();
        return p;
    }

    private static Presence.Change change(PresenceMember member, int connections) {
        return new Presence.Change(C, member, connections);
    }

    @Test
    void comingsAndGoingsAreGatheredForAMoment() {
        // given
        ShardUnderTest.Peer one = connect(ANN);
        ShardUnderTest.Peer two = connect(ANN);
        ShardUnderTest.Peer gone = connect(new Identity("bob", Long.MAX_VALUE, null, null));

        // when
        one.text(SUBSCRIBE);
        two.text(SUBSCRIBE);
        gone.text(SUBSCRIBE);
        gone.channel.disconnect0();
        shard.pass(Sweep.TICK_MS);

        // then
        assertThat(shard.presence.changes).containsExactly(List.of(change(PresenceMember.subject("ann"), 2)));

        // when
        one.text("{\"op\":\"unsubscribe\",\"channel\":\"c\"}");
        shard.pass(Sweep.TICK_MS);

        // then
        assertThat(shard.presence.changes.getLast()).containsExactly(change(PresenceMember.subject("ann"), -1));
    }

    @Test
    void whoIdentifiesItselfLeavesAsAConnectionAndComesAsASubject() {
        // given
        shard.tokens.put("good", new TokenVerifier.Verdict.Accepted(ANN));
        ShardUnderTest.Peer peer = shard.connect();
        String id = peer.readOne().replaceAll(".*\"connection\":\"([a-z0-9]+)\".*", "$1");
        peer.text(SUBSCRIBE);
        shard.pass(Sweep.TICK_MS);
        assertThat(shard.presence.changes.getLast()).containsExactly(change(PresenceMember.connection(id), 1));

        // when
        peer.text("{\"op\":\"connect\",\"token\":\"good\"}");
        shard.pass(Sweep.TICK_MS);

        // then
        assertThat(shard.presence.changes.getLast())
                .containsExactlyInAnyOrder(
                        change(PresenceMember.connection(id), -1), change(PresenceMember.subject("ann"), 1));
        assertThat(peer.read()).anyMatch(f -> f.contains("\"connection\":\"" + id + "\"") && f.contains("ann"));
    }

    @Test
    void aQuestionIsAnsweredWithWhoIsThere() {
        // given
        ShardUnderTest.Peer peer = connect(ANN);
        peer.text(SUBSCRIBE);
        peer.read();

        // when
        peer.text(ASK);

        // then: what the client did before is told first
        assertThat(shard.presence.changes).hasSize(1);
        shard.presence
                .asked
                .getFirst()
                .accept(new Presence.Answer.Members(
                        7,
                        List.of(
                                new Presence.Present(PresenceMember.subject("ann"), 2),
                                new Presence.Present(PresenceMember.connection("x1"), 1))));
        assertThat(peer.readOne())
                .isEqualTo("{\"op\":\"presence\",\"id\":1,\"channel\":\"c\",\"count\":7,\"members\":["
                        + "{\"subject\":\"ann\",\"connections\":2},{\"connection\":\"x1\",\"connections\":1}]}");
        peer.text(ASK);
        shard.presence.asked.getLast().accept(new Presence.Answer.Failed(ErrorCode.UNAVAILABLE, "away"));
        assertThat(peer.readOne()).contains("\"id\":1").contains("unavailable").contains("away");
    }

    @Test
    void withoutPresenceThereIsAnError() {
        // given
        shard.presence.covered = false;
        ShardUnderTest.Peer peer = connect(ANN);

        // when, then
        peer.text(ASK);
        assertThat(peer.readOne()).contains("\"id\":1").contains("forbidden").contains("has no presence");
        peer.text(ASK.replace("\"c\"", "\"nowhere:c\""));
        assertThat(peer.readOne()).contains("unknown_namespace");
        peer.text(SUBSCRIBE);
        shard.pass(Sweep.TICK_MS);
        assertThat(shard.presence.changes).isEmpty();
        assertThat(shard.presence.asked).isEmpty();
    }

    @Test
    void theOthersAreToldWhoCameAndLeft() {
        // given
        ShardUnderTest.Peer ann = connect(ANN);
        ann.text(SUBSCRIBE);
        ShardUnderTest.Peer bob = connect(new Identity("bob", Long.MAX_VALUE, null, null));
        bob.text(SUBSCRIBE);
        ShardUnderTest.Peer waits = connect(new Identity("cid", Long.MAX_VALUE, null, null));
        waits.text(SUBSCRIBE.replace("}", ",\"durable\":\"phone\"}")); // not told yet that it is subscribed
        ann.read();
        bob.read();

        // when
        shard.shard.announce(C, List.of(PresenceMember.subject("ann"), PresenceMember.connection("x1")), List.of());
        shard.shard.announce(C, List.of(), List.of(PresenceMember.subject("bob")));
        shard.shard.announce(new ChannelName("other"), List.of(), List.of(PresenceMember.subject("bob")));

        // then: nobody is told of itself
        assertThat(ann.read())
                .containsExactly(
                        "{\"op\":\"join\",\"channel\":\"c\",\"member\":{\"connection\":\"x1\"}}",
                        "{\"op\":\"leave\",\"channel\":\"c\",\"member\":{\"subject\":\"bob\"}}");
        assertThat(bob.read())
                .containsExactly(
                        "{\"op\":\"join\",\"channel\":\"c\",\"member\":{\"subject\":\"ann\"}}",
                        "{\"op\":\"join\",\"channel\":\"c\",\"member\":{\"connection\":\"x1\"}}");
        assertThat(waits.read()).isEmpty();
    }
}
