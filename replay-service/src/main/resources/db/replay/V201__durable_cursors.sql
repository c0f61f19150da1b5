-- Up to where a subscriber has acknowledged a channel, under a name of the subscriber's choice.
CREATE TABLE replay.durable_cursor (
    subject      text        NOT NULL, -- of the subscriber's token
    name         text        NOT NULL, -- the subscriber's, e.g. one per device
    channel      text        NOT NULL,
    epoch        text        NOT NULL,
    partition    integer     NOT NULL,
    "offset"     bigint      NOT NULL,
    acknowledged timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (subject, name, channel)
);
