package dev.tidegate.gateway.session;

import dev.tidegate.protocol.DurableCursors.Ack;
import dev.tidegate.protocol.DurableCursors.CursorKey;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** Notes what it is asked; the test answers. */
public final class ScriptedDurableStore implements DurableStore {
    final List<List<Ack>> batches = new ArrayList<>();
    final List<Consumer<Stored>> storeAnswers = new ArrayList<>();
    final List<CursorKey> lookUps = new ArrayList<>();
    final List<Consumer<Found>> foundAnswers = new ArrayList<>();

    @Override
    public void store(List<Ack> batch, Consumer<Stored> done) {
        batches.add(List.copyOf(batch));
        storeAnswers.add(done);
    }

    @Override
    public void find(CursorKey key, Consumer<Found> done) {
        lookUps.add(key);
        foundAnswers.add(done);
    }
}
