package dev.tidegate.ingest.api;

import dev.tidegate.ingest.admission.Claim;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.FrameBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One result for each item of a batch, in order: {@code {"id","cursor","status":"stored"}}, or
 * {@code {"status":"failed","code","message"}}; an item with {@code channels} has {@code results}, one for each of them.
 */
record BatchResults(List<Result> results) {
    /** Of one item. */
    sealed interface Result {}

    /** Of an item that was not given to Kafka. */
    record Failed(Problem problem) implements Result {}

    /** Of an item with {@code channel}. */
    record One(Answer answer) implements Result {}

    /** Of an item with {@code channels}. */
    record Several(List<ChannelName> channels, List<Answer> answers) implements Result {
        /** Of all of them, none having failed: the least that any of them was told. */
        String status() {
            String least = "stored";
            for (Answer a : answers) {
                if (a instanceof Answer.Taken t && t.json().endsWith("\"spooled\"}")) {
                    return "spooled";
                }
                if (a instanceof Answer.Taken t && t.json().endsWith("\"sent\"}")) {
                    least = "sent";
                }
            }
            return least;
        }
    }

    /** The answers of all events. */
    List<Answer> answers() {
        List<Answer> all = new ArrayList<>(results.size());
        for (Result r : results) {
            switch (r) {
                case Failed f -> all.add(new Answer.Refused(f.problem(), null));
                case One o -> all.add(o.answer());
                case Several s -> all.addAll(s.answers());
            }
        }
        return all;
    }

    /** Where the idempotency keys were looked up; {@code LOCAL} if any was. */
    Claim.@Nullable Scope scope() {
        Claim.Scope scope = null;
        for (Answer a : answers()) {
            Claim.Scope one = switch (a) {
                case Answer.Taken t -> t.scope();
                case Answer.Refused r -> r.scope();
            };
            if (one != null && scope != Claim.Scope.LOCAL) {
                scope = one;
            }
        }
        return scope;
    }

    /**
     * If every single event failed because of us, the whole request did, and says so in its status: retrying is then the
     * business of the publisher's HTTP client. Else null.
     */
    @Nullable
    Problem nothingWasTaken() {
        Problem first = null;
        for (Answer a : answers()) {
            if (!(a instanceof Answer.Refused r) || r.problem().code() != ErrorCode.UNAVAILABLE) {
                return null;
            }
            first = first == null ? r.problem() : first;
        }
        return first;
    }

    /** The answer's body: an array, or one result a line. */
    byte[] body(boolean lines) {
        FrameBuffer out = new FrameBuffer(64 + 96 * results.size());
        if (!lines) {
            out.raw('[');
        }
        for (int i = 0; i < results.size(); i++) {
            if (i > 0 && !lines) {
                out.raw(',');
            }
            write(out, results.get(i));
            if (lines) {
                out.raw('\n');
            }
        }
        if (!lines) {
            out.raw(']');
        }
        return out.toBytes();
    }

    private static void write(FrameBuffer out, Result result) {
        switch (result) {
            case Failed f -> {
                out.raw('{');
                members(out, f.problem());
            }
            case One o -> write(out, o.answer());
            case Several s -> write(out, s);
        }
    }

    private static void write(FrameBuffer out, Several several) {
        int failed = 0;
        Problem first = null;
        for (Answer a : several.answers()) {
            if (a instanceof Answer.Refused r) {
                failed++;
                first = first == null ? r.problem() : first;
            }
        }
        if (first == null) {
            out.ascii("{\"status\":").jsonString(several.status());
        } else {
            out.ascii("{\"status\":\"failed\",\"code\":")
                    .jsonString(first.code().wire())
                    .ascii(",\"message\":")
                    .jsonString(
                            "channels: " + failed + " of " + several.answers().size() + " failed: " + first.detail());
        }
        out.ascii(",\"results\":[");
        for (int i = 0; i < several.answers().size(); i++) {
            if (i > 0) {
                out.raw(',');
            }
            out.ascii("{\"channel\":")
                    .jsonString(several.channels().get(i).value())
                    .raw(',');
            members(out, several.answers().get(i));
        }
        out.ascii("]}");
    }

    private static void write(FrameBuffer out, Answer answer) {
        out.raw('{');
        members(out, answer);
    }

    /** The answer's members and its closing brace. */
    private static void members(FrameBuffer out, Answer answer) {
        switch (answer) {
            case Answer.Taken t -> {
                byte[] json = t.json().getBytes(StandardCharsets.UTF_8);
                out.raw(json, 1, json.length - 1);
            }
            case Answer.Refused r -> members(out, r.problem());
        }
    }

    private static void members(FrameBuffer out, Problem problem) {
        out.ascii("\"status\":\"failed\",\"code\":")
                .jsonString(problem.code().wire())
                .ascii(",\"message\":")
                .jsonString(problem.detail())
                .raw('}');
    }
}
