package dev.tidegate.replay.api;

import dev.tidegate.protocol.FrameBuffer;
import dev.tidegate.protocol.Replay;
import dev.tidegate.protocol.ServerFrames;
import dev.tidegate.replay.tiers.Answer;
import dev.tidegate.replay.tiers.Answers;
import dev.tidegate.replay.tiers.Scratch;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Mono;

/**
 * One call of a gateway while it is answered: its requests one after the other, in the order of the list. Those that need
 * Kafka ask for their scan when the call begins, so that they share it. For one thread at a time.
 */
final class ReplayCall {
    private static final Logger log = LoggerFactory.getLogger(ReplayCall.class);

    private final List<Replay.Request> requests;
    private final Answer[] answers;
    private final FrameBuffer out = new FrameBuffer(Chunks.BYTES + 4096);
    private int current;
    private volatile boolean done;

    ReplayCall(Answers tiers, List<Replay.Request> requests, long deadline) {
        this.requests = requests;
        this.answers = new Answer[requests.size()];
        Scratch scratch = new Scratch();
        for (int i = 0; i < answers.length; i++) {
            answers[i] = tiers.answer(requests.get(i), i, deadline, scratch);
            answers[i].prepare();
        }
    }

    boolean done() {
        return done;
    }

    /** The next chunk; nothing once all is said. */
    Mono<byte[]> next() {
        out.clear();
        while (current < answers.length) {
            Answer answer = answers[current];
            switch (advance(answer)) {
                case FULL -> {
                    return Mono.just(out.toBytes());
                }
                case GAP -> {
                    ServerFrames.gap(out, requests.get(current).channel().value(), answer.takeGap());
                    out.raw('\n');
                }
                case WAIT -> {
                    return out.size() > 0
                            ? Mono.just(out.toBytes())
                            : answer.signal().then(Mono.defer(this::next));
                }
                case END -> {
                    end(answer);
                    current++;
                }
            }
        }
        done = true;
        return out.size() > 0 ? Mono.just(out.toBytes()) : Mono.empty();
    }

    private Answer.Step advance(Answer answer) {
        int before = out.size();
        try {
            return answer.advance(out, Chunks.BYTES);
        } catch (RuntimeException e) {
            // One request that fails does not take the others of the call with it.
            log.error("Request {} failed: {}", current, requests.get(current), e);
            out.truncate(before);
            answer.crash();
            return Answer.Step.END;
        }
    }

    private void end(Answer answer) {
        Replay.encodeEnd(out, answer.end());
        var searchedFrom = answer.searchedFrom();
        if (searchedFrom != null) {
            out.truncate(out.size() - 1);
            out.ascii(",\"searchedFrom\":").jsonString(searchedFrom.toString()).raw('}');
        }
        out.raw('\n');
    }

    /** The gateway is gone, or all is sent. */
    void cancel() {
        for (int i = current; i < answers.length; i++) {
            answers[i].cancel();
        }
        done = true;
    }
}
