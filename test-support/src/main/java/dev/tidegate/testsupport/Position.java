package dev.tidegate.testsupport;

/** A cursor as PROTOCOL describes it, {@code <epoch>.<partition>.<offset>}, read without the product's code. */
public record Position(String epoch, int partition, long offset) {

    private static final int MAX_LENGTH = 64;

    /** Reads a cursor; an {@link IllegalArgumentException} names what is wrong with it. */
    public static Position of(String cursor) {
        String[] parts = cursor.split("\\.", -1);
        if (parts.length != 3 || cursor.length() > MAX_LENGTH || !cursor.matches("[A-Za-z0-9_~.-]+")) {
            throw new IllegalArgumentException("not a cursor: " + cursor);
        }
        return new Position(parts[0], Integer.parseInt(parts[1]), Long.parseLong(parts[2]));
    }

    /** Whether both are of one partition of one topic, so that their offsets can be compared. */
    public boolean comparableWith(Position other) {
        return epoch.equals(other.epoch) && partition == other.partition;
    }

    @Override
    public String toString() {
        return epoch + "." + partition + "." + offset;
    }
}
