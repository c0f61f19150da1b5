package dev.tidegate.intake;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpVersion;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** Connections that send requests, slowly or not at all, by a clock that the test turns. */
class IntakeTest {
    private static final String REQUEST = "GET /v1/ws HTTP/1.1\r\nHost: x\r\n\r\n";

    private final Intake intake = new Intake(2, Duration.ofSeconds(10));

    private EmbeddedChannel accept() {
        EmbeddedChannel channel = new EmbeddedChannel(false, false);
        channel.pipeline().addLast(new ChannelInitializer<Channel>() {
            @Override
            protected void initChannel(Channel accepted) {
                accepted.pipeline().addLast("codec", new HttpServerCodec());
                intake.install(accepted, "codec");
            }
        });
        try {
            channel.register();
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
        channel.freezeTime();
        return channel;
    }

    private static void pass(EmbeddedChannel channel, long millis) {
        channel.advanceTimeBy(millis, TimeUnit.MILLISECONDS);
        channel.runScheduledPendingTasks();
        channel.runPendingTasks();
    }

    private static void send(EmbeddedChannel channel, String text) {
        channel.writeInbound(Unpooled.copiedBuffer(text, US_ASCII));
    }

    private static void answer(EmbeddedChannel channel) {
        channel.writeOutbound(new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.NO_CONTENT));
    }

    private static String received(EmbeddedChannel channel) {
        StringBuilder all = new StringBuilder();
        for (ByteBuf part = channel.readOutbound(); part != null; part = channel.readOutbound()) {
            all.append(part.toString(US_ASCII));
            part.release();
        }
        return all.toString();
    }

    private static void end(EmbeddedChannel... channels) {
        for (EmbeddedChannel c : channels) {
            c.finishAndReleaseAll();
        }
    }

    @Test
    @DisplayName("A head that drips in is answered 408 in time, however steadily its bytes come")
    void dripping() {
        EmbeddedChannel channel = accept();
        int sent = 0;
        // when: a byte a second
        while (channel.isActive() && sent < REQUEST.length() - 1) {
            send(channel, REQUEST.substring(sent, sent + 1));
            sent++;
            pass(channel, 1_000);
        }
        // then
        assertThat(sent).isBetween(10, 12);
        assertThat(received(channel))
                .startsWith("HTTP/1.1 408 Request Timeout\r\nContent-Type: application/problem+json\r\n")
                .contains("headers: they did not arrive in time");
        assertThat(intake.late()).isEqualTo(1);
        assertThat(intake.connections()).isZero();
        end(channel);
    }

    @Test
    @DisplayName("A connection that says nothing is closed in the same time, without a word")
    void silent() {
        EmbeddedChannel channel = accept();
        pass(channel, 9_000);
        assertThat(channel.isActive()).isTrue();
        // when
        for (int i = 0; i < 3; i++) {
            pass(channel, 1_000);
        }
        // then
        assertThat(channel.isActive()).isFalse();
        assertThat(received(channel)).isEmpty();
        end(channel);
    }

    @Test
    @DisplayName(
            "A request that is being answered has all the time there is; the next one's head is bounded as the first one's")
    void later() {
        EmbeddedChannel channel = accept();
        send(channel, REQUEST);
        for (int i = 0; i < 60; i++) {
            pass(channel, 1_000);
        }
        assertThat(channel.isActive()).isTrue();
        // when it is answered, and nothing comes: that is the idle timeout's business
        answer(channel);
        for (int i = 0; i < 60; i++) {
            pass(channel, 1_000);
        }
        assertThat(channel.isActive()).isTrue();
        // when the next one drips in
        int seconds = 0;
        while (channel.isActive() && seconds < 30) {
            send(channel, REQUEST.substring(seconds, seconds + 1));
            pass(channel, 1_000);
            seconds++;
        }
        // then
        assertThat(seconds).isBetween(10, 12);
        assertThat(received(channel)).contains("408 Request Timeout");
        end(channel);
    }

    @Test
    @DisplayName("At the bound a newcomer is refused with 503; whoever leaves HTTP makes room")
    void bounded() {
        EmbeddedChannel one = accept();
        EmbeddedChannel two = accept();
        // when
        EmbeddedChannel three = accept();
        // then
        assertThat(received(three))
                .startsWith("HTTP/1.1 503 Service Unavailable")
                .contains("Retry-After: 2")
                .contains("\"code\":\"unavailable\"");
        assertThat(three.isActive()).isFalse();
        assertThat(intake.refused()).isEqualTo(1);
        assertThat(intake.connections()).isEqualTo(2);
        // when one becomes a socket of its own: its handlers are removed
        send(one, REQUEST);
        one.pipeline()
                .toMap()
                .values()
                .forEach((ChannelHandler h) -> one.pipeline().remove(h));
        EmbeddedChannel four = accept();
        // then
        assertThat(intake.connections()).isEqualTo(2);
        assertThat(four.isActive()).isTrue();
        assertThat(one.isActive()).isTrue();
        end(one, two, three, four);
        assertThat(intake.connections()).isZero();
    }
}
