package dev.tidegate.gateway.presence;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.gateway.config.PresenceSettings;
import dev.tidegate.gateway.session.Presence;
import dev.tidegate.gateway.session.Presence.Answer;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.PresenceMember;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Several gateways on one store, a clock that is moved by hand, and no thread. */
class PresenceDirectoryTest {
    private static final int LIMIT = 5;
    private static final Duration GRACE = Duration.ofSeconds(3);
    private static final Duration LEASE = Duration.ofSeconds(15);
    private static final ChannelName ROOM = new ChannelName("chat:room");

    private final AtomicLong now = new AtomicLong(1);
    private final FakeRedis redis = new FakeRedis(now::get, LEASE.toNanos());
    private final List<Gateway> gateways = new ArrayList<>();
    private Gateway a;
    private Gateway b;

    private final class Gateway {
        final FakeRedis.Store store;
        final PresenceDirectory directory;
        final List<String> told = new ArrayList<>();

        Gateway(String name) {
            store = redis.store(name);
            directory = new PresenceDirectory(
                    Set.of("chat"),
                    new PresenceSettings(LIMIT, GRACE, LEASE),
                    store,
                    Runnable::run,
                    now::get,
                    (loop, channel, joined, left) -> {
                        joined.forEach(m -> told.add("+" + m.name()));
                        left.forEach(m -> told.add("-" + m.name()));
                    },
                    2);
            store.start(directory);
            gateways.add(this);
        }

        void change(String subject, int connections) {
            directory.changed(0, List.of(new Presence.Change(ROOM, PresenceMember.subject(subject), connections)));
        }

        String ask() {
            List<Answer> answers = new ArrayList<>();
            directory.ask(ROOM, answers::add);
            pass(Duration.ofMillis(PresenceDirectory.TICK_MS));
            assertThat(answers).hasSize(1);
            return switch (answers.getFirst()) {
                case Answer.Members m ->
                    m.count() + " "
                            + m.members().stream()
                                    .map(p -> p.member().name() + "=" + p.connections())
                                    .toList();
                case Answer.Failed f -> f.code() + " " + f.message();
            };
        }
    }

    @BeforeEach
    void start() {
        a = new Gateway("a");
        b = new Gateway("b");
    }

    private void pass(Duration time) {
        long ticks = Math.max(1, time.toMillis() / PresenceDirectory.TICK_MS);
        for (long i = 0; i < ticks; i++) {
            now.addAndGet(PresenceDirectory.TICK_MS * 1_000_000);
            gateways.forEach(g -> g.directory.tick());
        }
    }

    private void settle() {
        pass(Duration.ofSeconds(1));
    }

    /** Both are there and know of each other. */
    private void annAndBob() {
        a.change("ann", 1);
        b.change("bob", 1);
        // Longer than it takes everybody to tell its part anew after it has connected.
        pass(LEASE);
        a.told.clear();
        b.told.clear();
    }

    @Test
    void membersAreToldOfOthersAtOtherGateways() {
        // given
        annAndBob();

        // when
        b.change("cid", 1);
        settle();
        b.change("cid", -1);
        pass(GRACE.plusSeconds(1));

        // then
        assertThat(a.told).containsExactly("+cid", "-cid");
        assertThat(a.ask()).isEqualTo("2 [ann=1, bob=1]");
    }

    @Test
    void whoAsksFindsItself() {
        a.change("ann", 2);
        assertThat(a.ask()).isEqualTo("1 [ann=2]");
    }

    @Test
    void aReconnectWithinTheGraceIsNotSeenNorIsAMoveToAnotherGateway() {
        // given
        annAndBob();

        // when
        b.change("bob", -1);
        pass(Duration.ofSeconds(2));
        b.change("bob", 1);
        pass(Duration.ofSeconds(5));
        b.change("bob", -1);
        a.change("bob", 1);
        pass(Duration.ofSeconds(5));

        // then
        assertThat(a.told).isEmpty();
        assertThat(a.ask()).isEqualTo("2 [ann=1, bob=1]");
    }

    @Test
    void severalConnectionsAreOneMember() {
        // given
        annAndBob();

        // when
        b.change("ann", 1);
        b.change("bob", 1);
        b.change("bob", -1);
        pass(Duration.ofSeconds(5));

        // then
        assertThat(a.told).isEmpty();
        assertThat(a.ask()).isEqualTo("2 [ann=2, bob=1]");
    }

    @Test
    void whoWasAtAGatewayThatDiedLeavesWhenItsLeaseEnds() {
        // given
        annAndBob();

        // when
        gateways.remove(b);
        pass(LEASE.minusSeconds(5));
        assertThat(a.told).isEmpty();
        pass(LEASE);

        // then
        assertThat(a.told).containsExactly("-bob");
        assertThat(a.ask()).isEqualTo("1 [ann=1]");
    }

    @Test
    void aStoreThatComesBackEmptyIsFilledAgainAndNobodyIsTakenToHaveLeft() {
        // given
        annAndBob();

        // when
        redis.die();
        assertThat(a.ask()).startsWith("UNAVAILABLE");
        a.change("cid", 1);
        b.change("bob", 1);
        pass(Duration.ofSeconds(20));
        redis.start();
        a.store.listener.connected();
        pass(Duration.ofSeconds(1));
        b.store.listener.connected();
        pass(LEASE);

        // then
        assertThat(b.told).containsExactly("+cid");
        assertThat(a.told).containsExactly("+cid");
        assertThat(a.ask()).isEqualTo("3 [ann=1, bob=2, cid=1]");
    }

    @Test
    void whoLeftWhileTheStoreWasAwayIsGoneWhenItIsBack() {
        // given
        annAndBob();

        // when: it kept what it had
        redis.away = true;
        a.directory.disconnected();
        a.change("ann", -1);
        a.change("dan", 1);
        pass(GRACE.plusSeconds(1));
        redis.start();
        a.store.listener.connected();
        pass(LEASE);

        // then
        assertThat(a.ask()).isEqualTo("2 [bob=1, dan=1]");
        assertThat(b.told).containsExactlyInAnyOrder("-ann", "+dan");
    }

    @Test
    void aLeaseThatEndedUnnoticedIsTakenUpAgain() {
        // given: the gateway stood still for longer than its lease, and another one cleared
        annAndBob();
        gateways.remove(b);
        pass(LEASE.plusSeconds(10));
        assertThat(a.told).containsExactly("-bob");

        // when
        gateways.add(b);
        pass(LEASE);

        // then
        assertThat(a.told).containsExactly("-bob", "+bob");
        assertThat(b.ask()).isEqualTo("2 [ann=1, bob=1]");
        assertThat(b.told).isEmpty();
    }

    @Test
    void aLargeChannelAnswersWithACountAndAFirstPageAndTellsNobody() {
        // given
        annAndBob();

        // when
        for (int i = 0; i < LIMIT; i++) {
            b.change("member" + i, 1);
        }
        pass(Duration.ofSeconds(5));

        // then
        assertThat(a.told).isEmpty();
        assertThat(a.ask())
                .startsWith("7 [ann=1, bob=1, member0=1")
                .satisfies(s -> assertThat(s.split("=", -1)).hasSize(LIMIT + 1));

        // when it is small again
        for (int i = 0; i < LIMIT; i++) {
            b.change("member" + i, -1);
        }
        pass(Duration.ofSeconds(5));
        b.change("cid", 1);
        settle();

        // then
        assertThat(a.told).containsExactly("+cid");
    }

    @Test
    void aStormIsAFewCalls() {
        // given
        annAndBob();
        redis.updates = 0;
        redis.reads = 0;

        // when: a thousand come, and half of them go again at once
        for (int i = 0; i < 1000; i++) {
            a.change("s" + i, 1);
        }
        for (int i = 0; i < 500; i++) {
            a.change("s" + i, -1);
        }
        settle();

        // then
        assertThat(a.ask()).startsWith("502 ");
        assertThat(redis.updates).isLessThanOrEqualTo(4);
        assertThat(redis.reads).isLessThanOrEqualTo(16);
    }

    @Test
    void nothingIsKeptOfAChannelThatNobodyHereIsIn() {
        // given
        annAndBob();

        // when
        a.change("ann", -1);
        pass(GRACE.plusSeconds(1));
        String answer = a.ask();
        settle();

        // then
        assertThat(answer).isEqualTo("1 [bob=1]");
        assertThat(a.directory.channels()).isZero();
        b.change("cid", 1);
        settle();
        assertThat(a.told).isEmpty();
    }

    @Test
    void aGatewayThatGoesDownLetsItsLeasesEnd() {
        // given
        annAndBob();

        // when
        var _ = b.directory.release();
        gateways.remove(b);
        pass(LEASE.dividedBy(2));

        // then
        assertThat(a.told).containsExactly("-bob");
    }
}
