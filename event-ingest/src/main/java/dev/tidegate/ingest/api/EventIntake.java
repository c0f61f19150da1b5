package dev.tidegate.ingest.api;

import dev.tidegate.ingest.admission.Claim;
import dev.tidegate.ingest.admission.IdempotencyKeys;
import dev.tidegate.ingest.delivery.Deliveries;
import dev.tidegate.ingest.publish.EventIds;
import dev.tidegate.ingest.publish.PublishOutcome;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.FrameBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * From a checked submission to its answer: idempotency key, id, delivery. Any thread; never blocks; completes on the thread
 * of whoever answered last (Kafka's producer, Redis' client).
 */
final class EventIntake {
    private static final String MAY_BE_STORED =
            "; it may have been stored: send it again with the same Idempotency-Key or Tidegate-Event-Id, so that"
                    + " subscribers see it once";

    private final IdempotencyKeys keys;
    private final Deliveries deliveries;

    EventIntake(IdempotencyKeys keys, Deliveries deliveries) {
        this.keys = keys;
        this.deliveries = deliveries;
    }

    /** Takes one event. */
    CompletableFuture<Answer> submit(Submission s) {
        CompletableFuture<@Nullable Claim> claim = claim(s);
        return claim.isDone() ? go(s, claim.join()) : claim.thenCompose(c -> go(s, c));
    }

    /**
     * Takes several: Kafka gets them in their order, all keys looked up before. The answers are in the same order.
     */
    CompletableFuture<List<Answer>> submitAll(List<Submission> all) {
        List<CompletableFuture<@Nullable Claim>> claims = new ArrayList<>(all.size());
        for (Submission s : all) {
            claims.add(claim(s));
        }
        return CompletableFuture.allOf(claims.toArray(CompletableFuture<?>[]::new))
                .thenCompose(x -> {
                    List<CompletableFuture<Answer>> answers = new ArrayList<>(all.size());
                    for (int i = 0; i < all.size(); i++) {
                        answers.add(go(all.get(i), claims.get(i).join()));
                    }
                    return CompletableFuture.allOf(answers.toArray(CompletableFuture<?>[]::new))
                            .thenApply(y -> answers.stream()
                                    .map(CompletableFuture::join)
                                    .toList());
                });
    }

    private CompletableFuture<@Nullable Claim> claim(Submission s) {
        String key = s.idempotencyKey();
        if (key == null) {
            return CompletableFuture.completedFuture(null);
        }
        // Never fails: without Redis it is answered from this instance's own memory.
        return keys.claim(EventIds.derived(s.channel().value(), key), fingerprint(s))
                .thenApply(c -> c);
    }

    private CompletableFuture<Answer> go(Submission s, @Nullable Claim claim) {
        return switch (claim) {
            case null -> publish(s, null);
            case Claim.Owned owned -> publish(s, owned);
            case Claim.Repeated r -> done(new Answer.Taken(r.answer(), Answer.How.REPEATED, r.scope()));
            case Claim.Reused r ->
                done(new Answer.Refused(
                        new Problem(
                                422,
                                ErrorCode.BAD_REQUEST,
                                "Idempotency-Key: used before on this channel with another request (expected: a new key"
                                        + " for a new event)",
                                0),
                        r.scope()));
            case Claim.InFlight i ->
                done(new Answer.Refused(
                        new Problem(
                                409,
                                ErrorCode.UNAVAILABLE,
                                "Idempotency-Key: the first request with it is still being worked on",
                                Problem.RETRY_WHEN_BUSY),
                        i.scope()));
        };
    }

    private CompletableFuture<Answer> publish(Submission s, Claim.@Nullable Owned claim) {
        String given = s.id();
        String key = s.idempotencyKey();
        String id;
        if (given != null) {
            id = given;
        } else {
            id = key == null ? EventIds.next() : EventIds.derived(s.channel().value(), key);
        }
        return deliveries.deliver(s.event(id)).thenApply(outcome -> answer(id, outcome, claim));
    }

    private static Answer answer(String id, PublishOutcome outcome, Claim.@Nullable Owned claim) {
        return switch (outcome) {
            case PublishOutcome.Stored stored ->
                taken(stored(id, stored.cursor().toString()), Answer.How.STORED, claim);
            case PublishOutcome.Spooled spooled -> taken(withoutCursor(id, "spooled"), Answer.How.SPOOLED, claim);
            case PublishOutcome.Sent sent -> taken(withoutCursor(id, "sent"), Answer.How.SENT, claim);
            case PublishOutcome.Failed failed -> {
                if (claim != null) {
                    claim.release();
                }
                String detail = failed.uncertain() ? failed.message() + MAY_BE_STORED : failed.message();
                yield new Answer.Refused(Problem.of(failed.code(), detail), claim == null ? null : claim.scope());
            }
        };
    }

    private static Answer taken(String json, Answer.How how, Claim.@Nullable Owned claim) {
        if (claim != null) {
            claim.answered(json);
        }
        return new Answer.Taken(json, how, claim == null ? null : claim.scope());
    }

    private static String withoutCursor(String id, String status) {
        return new FrameBuffer(96)
                .ascii("{\"id\":")
                .jsonString(id)
                .ascii(",\"status\":")
                .jsonString(status)
                .raw('}')
                .toText();
    }

    private static String stored(String id, String cursor) {
        return new FrameBuffer(128)
                .ascii("{\"id\":")
                .jsonString(id)
                .ascii(",\"cursor\":\"")
                .ascii(cursor)
                .ascii("\",\"status\":\"stored\"}")
                .toText();
    }

    private static CompletableFuture<Answer> done(Answer answer) {
        return CompletableFuture.completedFuture(answer);
    }

    /** Two requests with one key are the same request if all of this is the same; 128 bits of SHA-256. */
    private static String fingerprint(Submission s) {
        try {
            MessageDigest sha = MessageDigest.getInstance("SHA-256");
            add(sha, s.contentType());
            add(sha, s.type());
            add(sha, s.id());
            byte[] digest = sha.digest(s.payload());
            return Base64.getUrlEncoder()
                    .withoutPadding()
                    .encodeToString(digest)
                    .substring(0, IdempotencyKeys.FINGERPRINT_LENGTH);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("SHA-256 is required of every Java platform", e);
        }
    }

    private static void add(MessageDigest sha, @Nullable String field) {
        if (field != null) {
            sha.update(field.getBytes(StandardCharsets.UTF_8));
        }
        sha.update((byte) 0);
    }
}
