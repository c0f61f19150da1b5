package dev.tidegate.perf.swarm;

/** Puts events into the system. Called by one thread; events of one channel are published in the order of the calls. */
interface Publisher extends AutoCloseable {
    /** Publishes the channel's next event; may wait where the system does not take more. */
    void publish(int channel) throws InterruptedException;

    @Override
    void close();

    /** The publisher that the settings ask for. */
    static Publisher of(Settings settings, Published published, long wallOffset) {
        return switch (settings.publishing().way()) {
            case KAFKA -> new KafkaPublisher(settings, published, wallOffset);
            case HTTP -> new HttpPublisher(settings, published, wallOffset);
            case NONE ->
                new Publisher() {
                    @Override
                    public void publish(int channel) {
                        throw new IllegalStateException("--publish: none, yet an event is due");
                    }

                    @Override
                    public void close() {
                        // nothing is open
                    }
                };
        };
    }
}
