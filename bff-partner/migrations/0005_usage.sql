-- What was charged to a partner's quotas. `owner` is the partner in one environment, `period` is day or month, `begins` its
-- first day (UTC, such as 2026-01-31). Each process adds what it has charged since it last did.
CREATE TABLE usage (
    owner TEXT NOT NULL,
    period TEXT NOT NULL CHECK (period IN ('day', 'month')),
    begins TEXT NOT NULL,
    units BIGINT NOT NULL,
    PRIMARY KEY (owner, period, begins)
);
