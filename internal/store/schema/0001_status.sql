-- +goose Up

CREATE TABLE app (
    app_id  BIGINT  NOT NULL,
    name    TEXT    NOT NULL,
    enabled BOOLEAN NOT NULL,
    created BIGINT  NOT NULL, -- Unix milliseconds
    PRIMARY KEY (app_id)
);

CREATE TABLE app_key (
    app_id     BIGINT  NOT NULL REFERENCES app (app_id),
    key_id     BIGINT  NOT NULL,
    secret     TEXT    NOT NULL,
    not_before BIGINT  NOT NULL, -- Unix seconds, 0 for no bound
    not_after  BIGINT  NOT NULL, -- Unix seconds, 0 for no bound
    withdrawn  BOOLEAN NOT NULL,
    PRIMARY KEY (app_id, key_id)
);

CREATE TABLE app_admin (
    app_id   BIGINT NOT NULL REFERENCES app (app_id),
    user_id  TEXT   NOT NULL,
    position BIGINT NOT NULL, -- their order
    PRIMARY KEY (app_id, user_id)
);

-- What differs from the defaults.
CREATE TABLE app_setting (
    app_id BIGINT NOT NULL REFERENCES app (app_id),
    name   TEXT   NOT NULL,
    value  TEXT   NOT NULL,
    PRIMARY KEY (app_id, name)
);

CREATE TABLE account (
    app_id  BIGINT  NOT NULL,
    user_id TEXT    NOT NULL,
    tiny_id BIGINT  NOT NULL, -- the account's number; never used twice
    created BIGINT  NOT NULL, -- Unix milliseconds
    banned  BOOLEAN NOT NULL,
    PRIMARY KEY (app_id, user_id)
);

-- Outlives the account, or an old UserSig would register it anew.
CREATE TABLE revocation (
    app_id         BIGINT NOT NULL,
    user_id        TEXT   NOT NULL,
    revoked_before BIGINT NOT NULL, -- Unix seconds
    PRIMARY KEY (app_id, user_id)
);

CREATE TABLE session (
    app_id   BIGINT NOT NULL,
    user_id  TEXT   NOT NULL,
    inst     BIGINT NOT NULL,
    platform BIGINT NOT NULL,
    key_id   BIGINT NOT NULL,
    opened   BIGINT NOT NULL, -- Unix milliseconds
    expires  BIGINT NOT NULL, -- Unix milliseconds
    closed   BIGINT NOT NULL, -- Unix milliseconds, 0 while it is open
    cause    BIGINT NOT NULL, -- why it was closed
    PRIMARY KEY (app_id, user_id, inst)
);

CREATE INDEX session_closed ON session (app_id, closed) WHERE closed > 0;

-- State: 1 live, 2 lost, 3 logged out or thrown out. A row is replaced only by
-- one of a higher rev.
CREATE TABLE mark (
    app_id   BIGINT NOT NULL,
    user_id  TEXT   NOT NULL,
    platform BIGINT NOT NULL,
    tiny_id  BIGINT NOT NULL, -- the account's, to page by
    state    BIGINT NOT NULL,
    at       BIGINT NOT NULL, -- Unix milliseconds
    rev      BIGINT NOT NULL,
    PRIMARY KEY (app_id, user_id, platform)
);

CREATE INDEX mark_here ON mark (app_id, tiny_id) WHERE state <> 3;

-- A row without a text stays for a while: its rev holds off older texts.
CREATE TABLE custom_status (
    app_id  BIGINT NOT NULL,
    user_id TEXT   NOT NULL,
    text    TEXT   NOT NULL, -- base64, for it may hold any character
    rev     BIGINT NOT NULL, -- as in mark, and no less than Unix microseconds
    at      BIGINT NOT NULL, -- rev in milliseconds
    PRIMARY KEY (app_id, user_id)
);

CREATE INDEX custom_status_empty ON custom_status (app_id, at) WHERE text = '';

CREATE TABLE subscription (
    app_id   BIGINT NOT NULL,
    user_id  TEXT   NOT NULL, -- who watches
    target   TEXT   NOT NULL, -- who is watched
    position BIGINT NOT NULL, -- rises with each entry of the watcher's list
    PRIMARY KEY (app_id, user_id, target)
);

CREATE TABLE counter (
    name  TEXT   NOT NULL,
    value BIGINT NOT NULL,
    PRIMARY KEY (name)
);

CREATE TABLE secret (
    name  TEXT NOT NULL,
    value TEXT NOT NULL, -- base64
    PRIMARY KEY (name)
);
