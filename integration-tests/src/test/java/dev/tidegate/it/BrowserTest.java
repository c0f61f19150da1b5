package dev.tidegate.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.FaultyLink;
import dev.tidegate.testsupport.TidegateClient;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a newcomer sees in a browser. Needs Chromium; without one these tests are skipped, and say so. */
@Timeout(600)
class BrowserTest {

    private static Chromium browser;

    private final Services services = Services.quiet();
    private final Publisher publisher = services.publisher();
    private final FaultyLink link = FaultyLink.to(services.gateway().port());

    @BeforeAll
    static void start() {
        Optional<Path> program = Chromium.program();
        if (program.isEmpty()) {
            System.out.println("[tests] SKIPPED: no browser. Install chromium, or name one with TIDEGATE_TEST_BROWSER,"
                    + " to have the page and EventSource tested.");
        }
        Assumptions.assumeTrue(program.isPresent(), "no Chromium on the PATH");
        browser = Chromium.start(program.get());
    }

    @AfterAll
    static void stop() {
        if (browser != null) {
            browser.close();
        }
    }

    @AfterEach
    void closeLink() {
        link.close();
    }

    /** An expression: the rows of events that are shown with this badge and hold this text. */
    private static String rows(String badge, String text) {
        return "[...document.querySelectorAll('#events li')].filter(li => li.querySelector('.badge." + badge
                + "') && li.textContent.includes('" + text + "')).length";
    }

    @Test
    @DisplayName("the page: connects, publishes, pulls the plug, comes back, and marks what was replayed")
    void page() {
        String channel = Backends.unique("chat:page");
        // given
        Chromium.Page page = browser.open(link.url() + "/");
        page.await("the page is connected", "document.body.dataset.state === 'open'");
        page.evaluate("document.getElementById('channel').value = '" + channel + "';"
                + "document.getElementById('add').requestSubmit()");
        page.await(
                "the channel is live",
                "[...document.querySelectorAll('#ledger tbody tr')].some(tr => tr.dataset.channelState === 'live'"
                        + " && tr.textContent.includes('" + channel + "'))");

        // when: published by the page itself
        page.await(
                "the channel can be chosen",
                "[...document.getElementById('publish-channel').options].some(o => o.value === '" + channel + "')");
        page.evaluate("document.getElementById('publish-channel').value = '" + channel + "';"
                + "document.getElementById('data').value = '{\"text\":\"by the page\"}';"
                + "document.getElementById('publish').requestSubmit()");
        // then
        page.await("the page's own event, live", rows("live", "by the page") + " === 1");
        page.await("the answer", "document.getElementById('published').textContent.includes('stored at')");

        // when: by somebody else, while the plug is out
        page.evaluate("document.getElementById('plug').click()");
        page.await("unplugged", "document.body.dataset.state === 'unplugged'");
        try (TidegateClient witness = witness(channel)) {
            for (int i = 0; i < 3; i++) {
                publisher.stored(channel, "{\"text\":\"missed " + i + "\"}");
            }
            witness.awaitEvents(channel, 3, Answers.WITHIN);
        }
        page.evaluate("document.getElementById('plug').click()");
        // then
        page.await("what was missed, marked", rows("replay", "missed ") + " === 3");
        publisher.stored(channel, "{\"text\":\"afterwards\"}");
        page.await("live again", rows("live", "afterwards") + " === 1");

        // when: the network tears, and nobody pulls anything
        link.cut(FaultyLink.Ending.RST);
        page.await("cut", "document.body.dataset.state !== 'open'");
        try (TidegateClient witness = witness(channel)) {
            publisher.stored(channel, "{\"text\":\"in the tunnel\"}");
            witness.awaitEvents(channel, 1, Answers.WITHIN);
        }
        link.pass();
        // then
        page.await("it comes back by itself with what it missed", rows("replay", "in the tunnel") + " === 1");
        String row = "[...document.querySelectorAll('#ledger tbody tr')].find(tr => tr.textContent.includes('" + channel
                + "'))";
        // The ledger is drawn a moment after the row: whole, events, replayed, holes, gaps, repeats.
        page.await(
                "the ledger",
                "[...(" + row + ").cells].slice(2, 8).map(td => td.textContent).join('|') === 'yes|6|4|0|0|0'");
        assertThat(page.complaints()).isEmpty();
    }

    @Test
    @DisplayName("the page over EventSource: the same, and it resumes by itself when the stream is cut")
    void pageOverEventSource() {
        String channel = Backends.unique("chat:page");
        Chromium.Page page = browser.open(link.url() + "/");
        page.await("the page is connected", "document.body.dataset.state === 'open'");
        page.evaluate("document.querySelector('input[name=transport][value=eventsource]').click();"
                + "document.getElementById('channel').value = '" + channel + "';"
                + "document.getElementById('add').requestSubmit()");
        page.await(
                "connected over EventSource",
                "document.body.dataset.state === 'open' && document.getElementById('state').textContent.includes('EventSource')");
        publishUntil(
                channel,
                "{\"text\":\"first\"}",
                page,
                rows("live", "first") + " + " + rows("replay", "first") + " > 0");
        // when
        link.cut(FaultyLink.Ending.RST);
        page.await("cut", "document.body.dataset.state !== 'open'");
        try (TidegateClient witness = witness(channel)) {
            publisher.stored(channel, "{\"text\":\"in the tunnel\"}");
            witness.awaitEvents(channel, 1, Answers.WITHIN);
        }
        link.pass();
        // then
        page.await("what was missed, marked", rows("replay", "in the tunnel") + " === 1");
        publisher.stored(channel, "{\"text\":\"afterwards\"}");
        page.await("live again", rows("live", "afterwards") + " === 1");
        assertThat(page.complaints()).isEmpty();
    }

    @Test
    @DisplayName(
            "a plain EventSource over several channels is cut and resumes by itself: the browser sends Last-Event-ID")
    void eventSource() {
        String run = Backends.unique("chat:source");
        String a = Topic.channelIn(0, run + ".a");
        String b = Topic.channelIn(1, run + ".b");
        // given
        Chromium.Page page = browser.open(link.url() + "/tidegate.svg");
        page.evaluate("window.heard = []; window.opened = 0;"
                + "window.source = new EventSource('/v1/sse?channel=" + a + "&channel=" + b + "');"
                + "source.onopen = () => opened++;"
                + "source.onmessage = e => heard.push({ id: e.lastEventId, frame: JSON.parse(e.data) })");
        page.await("the stream is open", "opened === 1");
        publishUntil(a, "\"first\"", page, "heard.some(h => h.frame.data === 'first')");
        // when
        link.cut(FaultyLink.Ending.RST);
        page.await("the browser noticed", "source.readyState === EventSource.CONNECTING");
        try (TidegateClient witness = witness(a, b)) {
            publisher.stored(a, "\"missed a\"");
            publisher.stored(b, "\"missed b\"");
            witness.awaitEvents(a, 1, Answers.WITHIN);
            witness.awaitEvents(b, 1, Answers.WITHIN);
        }
        link.pass();
        // then
        page.await("both missed events", "['missed a', 'missed b'].every(d => heard.some(h => h.frame.data === d))");
        publisher.stored(b, "\"afterwards\"");
        page.await("live again", "heard.some(h => h.frame.data === 'afterwards')");
        assertThat(page.evaluate("opened").asInt()).isEqualTo(2);
        // A second "first" may have been under way when the link was cut; it is missed too then.
        assertThat(page.evaluate("heard.filter(h => h.frame.replay && h.frame.data !== 'first')"
                                + ".map(h => h.frame.data).sort().join()")
                        .asString())
                .isEqualTo("missed a,missed b");
        assertThat(page.evaluate("heard.every(h => h.id !== '')").asBoolean()).isTrue();
        assertThat(page.evaluate("source.close(), source.readyState").asInt()).isEqualTo(2);
    }

    /** An event stream does not say when it is subscribed; an event that arrives does. */
    private void publishUntil(String channel, String json, Chromium.Page page, String arrived) {
        await("the first event")
                .atMost(Answers.WITHIN)
                .pollInterval(Duration.ofMillis(500))
                .until(() -> {
                    publisher.stored(channel, json);
                    return page.evaluate(arrived).asBoolean();
                });
    }

    /**
     * Somebody who listens at the gateway itself. What has come to a witness comes as replay to a page that is back later; else the gateway, which
     * reads the log a moment behind ingest, might still have it before it, and bring it live.
     */
    private TidegateClient witness(String... channels) {
        TidegateClient client =
                TidegateClient.at(services.gateway().url()).name("witness").connect();
        for (String channel : channels) {
            Answers.answer(client.subscribe(channel));
        }
        return client;
    }
}
