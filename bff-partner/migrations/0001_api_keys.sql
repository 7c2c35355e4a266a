-- API keys and the record of what was done to them. Types and statements are those that SQLite and PostgreSQL share:
-- times are milliseconds since 1970, lists are words with a space between.
CREATE TABLE api_keys (
    id TEXT PRIMARY KEY NOT NULL,
    partner TEXT NOT NULL,
    environment TEXT NOT NULL CHECK (environment IN ('live', 'test')),
    plan TEXT NOT NULL,
    scopes TEXT NOT NULL,
    -- Networks that the key may be used from; empty: any.
    networks TEXT NOT NULL,
    -- SHA-256 of the secret, in hexadecimal digits.
    secret_hash TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    -- The key that takes its place.
    replaced_by TEXT
);

CREATE INDEX api_keys_by_partner ON api_keys (partner, environment, created_at);

-- Lines are only ever added.
CREATE TABLE api_key_audit (
    id TEXT PRIMARY KEY NOT NULL,
    at BIGINT NOT NULL,
    key_id TEXT NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('created', 'revoked', 'rotated')),
    actor TEXT NOT NULL,
    detail TEXT NOT NULL
);

CREATE INDEX api_key_audit_by_key ON api_key_audit (key_id, at);
