package dev.tidegate.ingest.api;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpContent;
import io.netty.handler.codec.http.DefaultHttpRequest;
import io.netty.handler.codec.http.DefaultLastHttpContent;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.util.ReferenceCountUtil;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class UnreadBodiesTest {
    private final EmbeddedChannel channel = new EmbeddedChannel(new UnreadBodies());

    @AfterEach
    void close() {
        channel.finishAndReleaseAll();
    }

    private static HttpRequest request() {
        return new DefaultHttpRequest(HttpVersion.HTTP_1_1, HttpMethod.POST, "/");
    }

    private static HttpContent part(int bytes) {
        return new DefaultHttpContent(Unpooled.wrappedBuffer(new byte[bytes]));
    }

    private void in(Object message) {
        channel.writeInbound(message);
        ReferenceCountUtil.release(channel.readInbound());
    }

    private void answer() {
        channel.writeOutbound(new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK));
        ReferenceCountUtil.release(channel.readOutbound());
    }

    @Test
    void aBodyThatIsReadMayBeLong() {
        // when
        in(request());
        for (long sent = 0; sent <= 2 * UnreadBodies.MAX_BYTES; sent += 1 << 20) {
            in(part(1 << 20));
        }
        in(new DefaultLastHttpContent());
        answer();
        // then
        channel.advanceTimeBy(UnreadBodies.MAX_SECONDS + 1, TimeUnit.SECONDS);
        channel.runScheduledPendingTasks();
        assertThat(channel.isOpen()).isTrue();
    }

    @Test
    void afterTheAnswerItMayNot() {
        // given
        in(request());
        in(part(10));
        answer();
        // when
        in(part((int) UnreadBodies.MAX_BYTES));
        assertThat(channel.isOpen()).isTrue();
        in(part(1));
        // then
        assertThat(channel.isOpen()).isFalse();
    }

    @Test
    void norMayItTakeLong() {
        // given
        in(request());
        answer();
        // when
        channel.advanceTimeBy(UnreadBodies.MAX_SECONDS, TimeUnit.SECONDS);
        channel.runScheduledPendingTasks();
        // then
        assertThat(channel.isOpen()).isFalse();
    }

    @Test
    void aBodyThatEndsInTimeLeavesTheConnectionOpen() {
        // given
        in(request());
        answer();
        in(part(10));
        in(new DefaultLastHttpContent());
        // when the next request is under way
        in(request());
        channel.advanceTimeBy(UnreadBodies.MAX_SECONDS + 1, TimeUnit.SECONDS);
        channel.runScheduledPendingTasks();
        // then
        assertThat(channel.isOpen()).isTrue();
    }

    @Test
    void anAnswerToAnEarlierRequestDoesNotCountForTheNext() {
        // given two requests, pipelined, the second still coming in
        in(request());
        in(new DefaultLastHttpContent());
        in(request());
        // when the first is answered
        answer();
        for (long sent = 0; sent <= UnreadBodies.MAX_BYTES; sent += 1 << 20) {
            in(part(1 << 20));
        }
        channel.advanceTimeBy(UnreadBodies.MAX_SECONDS + 1, TimeUnit.SECONDS);
        channel.runScheduledPendingTasks();
        // then
        assertThat(channel.isOpen()).isTrue();
    }

    @Test
    void anInterimAnswerIsNone() {
        // given
        in(request());
        // when
        channel.writeOutbound(new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.CONTINUE));
        ReferenceCountUtil.release(channel.readOutbound());
        in(part((int) UnreadBodies.MAX_BYTES + 1));
        // then
        assertThat(channel.isOpen()).isTrue();
    }
}
