package dev.tidegate.protocol;

/**
 * An event as one run of bytes: channel, id, type, content type and payload behind each other in one array. It is how a
 * log that keeps events outside the heap hands one to {@link EventFrames} without making five arrays of it. A flyweight,
 * {@link #set} again and again; it copies nothing and checks nothing: what was stored has passed
 * {@link FanoutRecord#check}. Not thread-safe.
 */
public final class EventSlices {
    private byte[] bytes = new byte[0];
    private int channel;
    private int id;
    private int type;
    private int contentType;
    private int payload;
    private int end;
    private long timeMillis;
    private FanoutRecord.PayloadKind payloadKind = FanoutRecord.PayloadKind.JSON;

    /**
     * Starts over with another event. An {@code idLength}, {@code typeLength} or {@code contentTypeLength} of 0 says that
     * the event has none.
     *
     * @param at index in {@code array} where the channel's name starts
     */
    public EventSlices set(
            byte[] array, int at, int channelLength, int idLength, int typeLength, int contentTypeLength, int length) {
        bytes = array;
        channel = at;
        id = channel + channelLength;
        type = id + idLength;
        contentType = type + typeLength;
        payload = contentType + contentTypeLength;
        end = payload + length;
        return this;
    }

    /** The rest of the event: its time in milliseconds since the epoch, and how its payload is to be read. */
    public EventSlices describe(long newTimeMillis, FanoutRecord.PayloadKind newPayloadKind) {
        timeMillis = newTimeMillis;
        payloadKind = newPayloadKind;
        return this;
    }

    byte[] bytes() {
        return bytes;
    }

    int channelAt() {
        return channel;
    }

    int channelLength() {
        return id - channel;
    }

    int idAt() {
        return id;
    }

    int idLength() {
        return type - id;
    }

    int typeAt() {
        return type;
    }

    int typeLength() {
        return contentType - type;
    }

    int contentTypeAt() {
        return contentType;
    }

    int contentTypeLength() {
        return payload - contentType;
    }

    int payloadAt() {
        return payload;
    }

    int payloadLength() {
        return end - payload;
    }

    long timeMillis() {
        return timeMillis;
    }

    FanoutRecord.PayloadKind payloadKind() {
        return payloadKind;
    }
}
