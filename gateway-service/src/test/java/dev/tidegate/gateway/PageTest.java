package dev.tidegate.gateway;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The page at the root: served whole, by the gateway alone, and never from an old cache. */
class PageTest {
    private static final Pattern REFERENCES =
            Pattern.compile("(?:src|href)=\"([^\"#]+)\"|(?:from|import) '([^']+)'|url\\(([^)]+)\\)|@import ([^;]+);");

    @Test
    void thePageAndAllItRefersToComeFromTheGateway() throws Exception {
        try (EdgeUnderTest edge = EdgeUnderTest.start(Map.of());
                HttpClient client = HttpClient.newHttpClient()) {
            // given
            URI root = URI.create("http://127.0.0.1:" + edge.port() + "/");

            // when
            HttpResponse<String> page = get(client, root);
            List<String> files = references(page.body());

            // then
            assertThat(page.body()).contains("<title>Tidegate</title>");
            assertThat(page.headers().firstValue("content-type"))
                    .hasValueSatisfying(t -> assertThat(t).startsWith("text/html"));
            assertThat(files).contains("tidegate.js", "tidegate.css", "tidegate.svg");
            for (String file : files) {
                HttpResponse<String> found = get(client, root.resolve(file));
                for (String further : references(found.body())) {
                    get(client, root.resolve(file).resolve(further));
                }
            }
        }
    }

    private static List<String> references(String text) {
        return REFERENCES
                .matcher(text)
                .results()
                .map(PageTest::referred)
                .filter(r -> !r.startsWith("data:"))
                .toList();
    }

    private static String referred(MatchResult match) {
        for (int group = 1; group <= match.groupCount(); group++) {
            if (match.group(group) != null) {
                assertThat(match.group(group)).as("nothing from elsewhere").doesNotContain("//");
                return match.group(group);
            }
        }
        throw new IllegalStateException(match.group());
    }

    private static HttpResponse<String> get(HttpClient client, URI uri) throws IOException, InterruptedException {
        HttpResponse<String> response = client.send(HttpRequest.newBuilder(uri).build(), BodyHandlers.ofString());
        assertThat(response.statusCode()).as("%s", uri).isEqualTo(200);
        assertThat(response.headers().firstValue("last-modified"))
                .as("%s: the time in a reproducible jar never changes", uri)
                .isEmpty();
        if (!uri.getPath().equals("/")) { // the welcome page has nothing by which a browser could keep it
            assertThat(response.headers().firstValue("cache-control"))
                    .as("%s", uri)
                    .hasValue("no-store");
        }
        return response;
    }
}
