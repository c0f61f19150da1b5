package dev.tidegate.protocol;

/**
 * Somebody who is present in a channel: an authenticated subject, however many connections it has, or a connection without one.
 *
 * @param authenticated whether {@code name} is a subject; else it is a connection's id
 */
public record PresenceMember(boolean authenticated, String name) {
    private static final char SUBJECT = 's';
    private static final char CONNECTION = 'c';

    /** The member with an authenticated subject. */
    public static PresenceMember subject(String subject) {
        return new PresenceMember(true, subject);
    }

    /** The member that is a connection. */
    public static PresenceMember connection(String id) {
        return new PresenceMember(false, id);
    }

    /** What it is stored under: the kind, then the name. */
    public String key() {
        return (authenticated ? SUBJECT : CONNECTION) + name;
    }

    /** The member that is stored under this key. @throws IllegalArgumentException if it is none */
    public static PresenceMember ofKey(String key) {
        if (key.isEmpty() || (key.charAt(0) != SUBJECT && key.charAt(0) != CONNECTION)) {
            throw new IllegalArgumentException("not a member: '" + key + "'");
        }
        return new PresenceMember(key.charAt(0) == SUBJECT, key.substring(1));
    }
}
