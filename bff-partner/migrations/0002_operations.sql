-- Operations that were begun under an idempotency key. While `answer` is empty, `lease` has it until `lease_ends`.
-- Times are milliseconds since 1970; the answer is JSON.
CREATE TABLE operations (
    scope TEXT PRIMARY KEY NOT NULL,
    fingerprint TEXT NOT NULL,
    lease TEXT NOT NULL,
    lease_ends BIGINT NOT NULL,
    forget_at BIGINT NOT NULL,
    answer TEXT
);

CREATE INDEX operations_by_end ON operations (forget_at);
