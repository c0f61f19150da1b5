package dev.tidegate.gateway.resume;

import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.Gap;
import dev.tidegate.protocol.Replay;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The answer to one fetch, collected on the replay client's thread and handed over whole. Bounded by the request's limit
 * and the service's page size.
 */
final class ReplayPage implements ReplaySource.Listener {
    private final Object turn;
    private final Consumer<ReplayPage> whenDone;
    final List<Replayed> events = new ArrayList<>(4);

    @Nullable
    Gap gap;

    Replay.@Nullable End end;
    String failure = "";
    private boolean done;

    /** @param turn whose page it is */
    ReplayPage(Object turn, Consumer<ReplayPage> whenDone) {
        this.turn = turn;
        this.whenDone = whenDone;
    }

    @Override
    public Object turn() {
        return turn;
    }

    @Override
    public void event(Cursor cursor, long prev, byte[] frame) {
        events.add(new Replayed(cursor, frame));
    }

    @Override
    public void gap(Gap told) {
        gap = told;
    }

    @Override
    public void end(Replay.End told) {
        end = told;
        if (gap == null) {
            gap = told.gap();
        }
        finish();
    }

    @Override
    public void failed(String why) {
        failure = why;
        finish();
    }

    /** The events that are news to a client that stands here, up to this offset. */
    List<Replayed> eventsAfter(@Nullable Cursor from, long upTo) {
        List<Replayed> news = new ArrayList<>(events.size());
        Cursor at = from;
        for (Replayed e : events) {
            Cursor c = e.cursor();
            if (c.offset() <= upTo && (at == null || !c.comparableTo(at) || c.offset() > at.offset())) {
                news.add(e);
                at = c;
            }
        }
        return news;
    }

    private void finish() {
        if (!done) {
            done = true;
            whenDone.accept(this);
        }
    }
}
