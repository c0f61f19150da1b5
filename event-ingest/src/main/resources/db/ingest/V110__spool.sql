-- Events that Kafka could not take, in the order in which they go to it (docs/adr/112-the-spool.md).
CREATE TABLE ingest.spool (
    topic       text    NOT NULL,
    seq         bigint  GENERATED ALWAYS AS IDENTITY,
    channel     text    NOT NULL,
    event_id    text    NOT NULL,
    accepted_at bigint  NOT NULL, -- milliseconds since the epoch; becomes the record's time stamp
    doubtful    boolean NOT NULL, -- Kafka may have it already, under the same id
    bytes       integer NOT NULL, -- what it counts for against the bound
    envelope    bytea   NOT NULL, -- type, source, content type, trace context, attributes
    payload     bytea   NOT NULL,
    fault       text,             -- why it can never be relayed; null for all others
    PRIMARY KEY (topic, seq)
);

-- A queue: nearly every row is deleted soon, and always at the same end.
ALTER TABLE ingest.spool SET (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_threshold = -1
);
