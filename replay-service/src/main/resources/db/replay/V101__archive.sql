-- Events of the namespaces that are archived, for as long as tidegate.replay.archive.retention says.
-- One partition a UTC day, so that forgetting is dropping a table.
CREATE TABLE replay.archive_event (
    epoch        text    NOT NULL,
    partition    integer NOT NULL,
    "offset"     bigint  NOT NULL,
    day          date    NOT NULL, -- of the record's time, but never before that of the record before it in its partition
    channel      text    NOT NULL,
    id           text,
    type         text,
    content_type text,
    time         bigint  NOT NULL, -- the event's, milliseconds since the epoch
    stored       bigint  NOT NULL, -- the record's time stamp in Kafka, likewise
    payload      bytea   NOT NULL,
    PRIMARY KEY (epoch, partition, "offset", day)
) PARTITION BY RANGE (day);

-- In this order a read passes the days one by one and stops at its limit, instead of merging all of them.
CREATE INDEX archive_event_channel ON replay.archive_event (channel, epoch, partition, day, "offset");

-- Up to where each partition has been archived. Whoever moves it on (compare and set) writes the events in the same transaction.
CREATE TABLE replay.archive_position (
    epoch       text    NOT NULL,
    partition   integer NOT NULL,
    next_offset bigint  NOT NULL,
    PRIMARY KEY (epoch, partition)
);

-- Which offsets were looked at, and for which namespaces: all their events in [first_offset, next_offset) are in archive_event, and
-- nothing can be said of offsets that are in no segment. A segment holds offsets of one day, and goes before the events of its day.
CREATE TABLE replay.archive_segment (
    epoch        text   NOT NULL,
    partition    integer NOT NULL,
    first_offset bigint NOT NULL,
    next_offset  bigint NOT NULL,
    day          date   NOT NULL,
    namespaces   text[] NOT NULL,
    PRIMARY KEY (epoch, partition, first_offset),
    CHECK (first_offset < next_offset)
);
CREATE INDEX archive_segment_day ON replay.archive_segment (day);

-- Makes a day's partition unless it is there. Attached rather than created in place: that locks out neither readers nor writers.
CREATE FUNCTION replay.archive_add_day(d date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    name text := 'archive_event_' || to_char(d, 'YYYYMMDD');
BEGIN
    IF to_regclass('replay.' || name) IS NOT NULL THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('tidegate.replay.archive_add_day'));
    IF to_regclass('replay.' || name) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE replay.%I (LIKE replay.archive_event INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
    EXECUTE format('ALTER TABLE replay.archive_event ATTACH PARTITION replay.%I FOR VALUES FROM (%L) TO (%L)', name, d, d + 1);
    RETURN true;
END
$$;
