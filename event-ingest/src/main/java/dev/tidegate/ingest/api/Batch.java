package dev.tidegate.ingest.api;

import dev.tidegate.ingest.admission.PublishPolicy;
import dev.tidegate.ingest.admission.Publisher;
import dev.tidegate.ingest.publish.Event;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.ProtocolException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The items of one {@code POST /v1/events} and the submissions that come of them, in order. An item that may not go to one
 * of its channels goes to none.
 *
 * @param items as read; those refused by the policy have become bad ones
 * @param submissions of the good ones, item by item, channel by channel
 */
record Batch(List<BatchItem> items, List<Submission> submissions) {
    /**
     * Judges the items.
     *
     * @param key the request's idempotency key; each event gets one of its own from it, so a repeat of a batch that partly failed publishes
     *     what failed and answers the rest as the first time
     */
    static Batch of(
            List<BatchItem> read,
            PublishPolicy policy,
            Publisher who,
            List<Event.Attribute> identity,
            @Nullable String traceparent,
            @Nullable String key) {
        List<BatchItem> items = new ArrayList<>(read.size());
        List<Submission> submissions = new ArrayList<>(read.size());
        for (int i = 0; i < read.size(); i++) {
            BatchItem item = permitted(read.get(i), policy, who);
            items.add(item);
            if (item instanceof BatchItem.Good good) {
                String itemKey = key == null ? null : key + "\n" + i;
                for (ChannelName channel : good.channels()) {
                    submissions.add(new Submission(
                            channel, good.data(), null, good.id(), good.type(), null, traceparent, identity, itemKey));
                }
            }
        }
        return new Batch(items, submissions);
    }

    private static BatchItem permitted(BatchItem item, PublishPolicy policy, Publisher who) {
        if (item instanceof BatchItem.Good good) {
            try {
                for (ChannelName channel : good.channels()) {
                    policy.check(who, channel);
                }
            } catch (ProtocolException e) {
                return new BatchItem.Bad(Problem.of(e));
            }
        }
        return item;
    }

    BatchResults results(List<Answer> answers) {
        List<BatchResults.Result> results = new ArrayList<>(items.size());
        int next = 0;
        for (BatchItem item : items) {
            switch (item) {
                case BatchItem.Bad bad -> results.add(new BatchResults.Failed(bad.problem()));
                case BatchItem.Good good
                when good.several() -> {
                    int n = good.channels().size();
                    results.add(new BatchResults.Several(good.channels(), answers.subList(next, next + n)));
                    next += n;
                }
                case BatchItem.Good good -> results.add(new BatchResults.One(answers.get(next++)));
            }
        }
        return new BatchResults(results);
    }
}
