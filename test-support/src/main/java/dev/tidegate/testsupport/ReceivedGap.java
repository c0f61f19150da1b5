package dev.tidegate.testsupport;

/** A gap as a client was told of it: {@code reason} is {@code expired}, {@code epoch} or {@code overflow}. */
public record ReceivedGap(String channel, String after, String cursor, String reason) {}
