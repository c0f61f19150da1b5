package dev.tidegate.testsupport;

/** A frame that breaks the wire contract: which rule, in which channel of which client, and the frame itself. */
public record Violation(String client, String channel, String rule, String frame) {}
