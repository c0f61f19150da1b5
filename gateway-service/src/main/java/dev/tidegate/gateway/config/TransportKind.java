package dev.tidegate.gateway.config;

/** How sockets are read and written. */
public enum TransportKind {
    /** The first of epoll, io_uring and NIO that works here. */
    AUTO("auto"),
    /** Linux io_uring: one system call submits the writes of a whole batch. */
    IO_URING("io_uring"),
    /** Linux epoll. */
    EPOLL("epoll"),
    /** The JDK's selector: works everywhere. */
    NIO("nio");

    private final String text;

    TransportKind(String text) {
        this.text = text;
    }

    @Override
    public String toString() {
        return text;
    }
}
