-- Rows that a relay could not read hold up their channel alone (docs/adr/113-the-relay.md).
ALTER TABLE ingest.spool
    ADD COLUMN unread_by  integer, -- newest version of the envelope that the relay knew which could not read it
    ADD COLUMN unread_why text;

CREATE INDEX spool_unread ON ingest.spool (topic, channel) WHERE unread_by IS NOT NULL;
