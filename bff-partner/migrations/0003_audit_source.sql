-- Where a change came from: an address, or the machine and the user of a command line.
ALTER TABLE api_key_audit ADD COLUMN source TEXT NOT NULL DEFAULT '';
