package dev.tidegate.gateway.session;

import dev.tidegate.protocol.ChannelName;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** Notes what it is told and asked; the test answers. */
final class ScriptedPresence implements Presence {
    boolean covered;
    final List<List<Change>> changes = new ArrayList<>();
    final List<Consumer<Answer>> asked = new ArrayList<>();

    @Override
    public boolean covers(ChannelName channel) {
        return covered;
    }

    @Override
    public void changed(int loop, List<Change> news) {
        changes.add(news);
    }

    @Override
    public void ask(ChannelName channel, Consumer<Answer> done) {
        asked.add(done);
    }
}
