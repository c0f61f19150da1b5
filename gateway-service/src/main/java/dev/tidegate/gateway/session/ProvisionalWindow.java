package dev.tidegate.gateway.session;

import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The events of one channel that one loop has delivered provisionally and whose records have not come yet: their ids, byte
 * for byte, since a collision here would lose an event, each with the number of its delivery. Deliveries of a channel are
 * numbered on from one; a subscription has an event exactly if the event's number is above the number of the last delivery
 * that it did not get. Loop-confined.
 */
final class ProvisionalWindow {
    /** Most ids; of a channel whose Kafka is away longer than this the oldest events come twice, recognisable by id. */
    static final int MAX_IDS = 1024;

    private final int maxIds;
    private final Map<Id, Integer> numbers = new LinkedHashMap<>();

    private record Id(byte[] bytes) {
        @Override
        public boolean equals(Object o) {
            return o instanceof Id other && Arrays.equals(bytes, other.bytes);
        }

        @Override
        public int hashCode() {
            return Arrays.hashCode(bytes);
        }
    }

    ProvisionalWindow(int maxIds) {
        this.maxIds = maxIds;
    }

    /** An event is delivered; false if an older one had to be forgotten for it. */
    boolean delivered(byte[] id, int number) {
        numbers.put(new Id(id), number);
        if (numbers.size() <= maxIds) {
            return true;
        }
        Iterator<Integer> oldest = numbers.values().iterator();
        oldest.next();
        oldest.remove();
        return false;
    }

    /** Its record has come: the number of its delivery, and it is forgotten; 0 if it was not delivered here. */
    int came(byte[] id) {
        Integer number = numbers.remove(new Id(id));
        return number == null ? 0 : number;
    }

    boolean isEmpty() {
        return numbers.isEmpty();
    }

    /** Whether a subscription has what was delivered under this number; numbers may wrap around. */
    static boolean has(int number, int lastMissed) {
        return number - lastMissed > 0;
    }
}
