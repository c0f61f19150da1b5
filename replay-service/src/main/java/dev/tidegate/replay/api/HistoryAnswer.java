package dev.tidegate.replay.api;

import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.FrameBuffer;
import dev.tidegate.protocol.Gap;
import dev.tidegate.protocol.ProtocolException;
import dev.tidegate.protocol.Replay;
import dev.tidegate.protocol.ServerFrames;
import dev.tidegate.replay.tiers.Answer;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;

/** A person's read while it is answered: as one page of JSON, or as a stream of frames over all pages. For one thread at a time. */
final class HistoryAnswer {
    private final Answer answer;
    private final ChannelName channel;
    private final FrameBuffer out = new FrameBuffer(4096);
    private long left;
    private @Nullable Gap gap;
    private volatile boolean done;

    /**
     * A read.
     *
     * @param limit most events of a stream
     */
    HistoryAnswer(Answer answer, ChannelName channel, long limit) {
        this.answer = answer;
        this.channel = channel;
        this.left = limit;
    }

    boolean done() {
        return done;
    }

    /** The whole page; bounded by the settings of pages. Fails with what the answer failed with. */
    Mono<byte[]> page() {
        while (true) {
            switch (answer.advance(out, Integer.MAX_VALUE)) {
                case FULL -> throw new IllegalStateException("a page larger than " + Integer.MAX_VALUE);
                case GAP -> gap = answer.takeGap();
                case WAIT -> {
                    return answer.signal().then(Mono.defer(this::page));
                }
                case END -> {
                    done = true;
                    return Mono.fromCallable(() -> json(checked(answer.end())));
                }
            }
        }
    }

    private byte[] json(Replay.End end) {
        FrameBuffer json = new FrameBuffer(out.size() + 256);
        json.ascii("{\"events\":[").raw(out.array(), 0, out.size());
        if (out.size() > 0) {
            json.truncate(json.size() - 1);
        }
        byte[] bytes = json.array(); // frames hold no line breaks: those there are stand between two of them
        for (int i = 0; i < json.size(); i++) {
            if (bytes[i] == '\n') {
                bytes[i] = ',';
            }
        }
        json.ascii("],\"cursor\":").jsonString(end.cursor().toString());
        json.ascii(",\"complete\":").ascii(end.complete() ? "true" : "false");
        Gap g = gap;
        if (g != null) {
            json.ascii(",\"gap\":{\"reason\":").jsonString(g.reason().wire());
            json.ascii(",\"after\":").jsonString(g.after().toString());
            json.ascii(",\"cursor\":").jsonString(g.cursor().toString()).raw('}');
        }
        Cursor searchedFrom = answer.searchedFrom();
        if (searchedFrom != null) {
            json.ascii(",\"searchedFrom\":").jsonString(searchedFrom.toString());
        }
        return json.raw('}').toBytes();
    }

    /** The next chunk of the stream. Fails with what the answer failed with; once frames are sent that ends the connection. */
    Mono<byte[]> next() {
        if (done) {
            return Mono.empty();
        }
        out.clear();
        while (true) {
            switch (answer.advance(out, Chunks.BYTES)) {
                case FULL -> {
                    return Mono.just(out.toBytes());
                }
                case GAP -> {
                    ServerFrames.gap(out, channel.value(), answer.takeGap());
                    out.raw('\n');
                }
                case WAIT -> {
                    return out.size() > 0
                            ? Mono.just(out.toBytes())
                            : answer.signal().then(Mono.defer(this::next));
                }
                case END -> {
                    Replay.End end = answer.end();
                    if (end.error() != null && out.size() > 0) {
                        return Mono.just(out.toBytes()); // the failure comes with the next chunk
                    }
                    checked(end);
                    left -= answer.events();
                    if (end.complete() || left <= 0) {
                        done = true;
                        return out.size() > 0 ? Mono.just(out.toBytes()) : Mono.empty();
                    }
                    answer.nextPage((int) Math.min(left, Integer.MAX_VALUE));
                }
            }
        }
    }

    private static Replay.End checked(Replay.End end) {
        ErrorCode error = end.error();
        if (error != null) {
            throw new ProtocolException(error, String.valueOf(end.message()));
        }
        return end;
    }
}
