-- Calls that keys were let in with, by version of the API, on each day (UTC, such as 2026-01-31). Each process adds what it
-- has counted since it last did.
CREATE TABLE version_calls (
    version TEXT NOT NULL,
    partner TEXT NOT NULL,
    environment TEXT NOT NULL,
    day TEXT NOT NULL,
    calls BIGINT NOT NULL,
    PRIMARY KEY (version, partner, environment, day)
);
