-- A cursor moves with nearly every acknowledgement: room in its page, and no index on what changes, keep it in place.
ALTER TABLE replay.durable_cursor SET (fillfactor = 80);
