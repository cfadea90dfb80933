-- +goose Up

-- When the account was deleted last, Unix seconds, 0 for never.
ALTER TABLE revocation ADD COLUMN deleted BIGINT NOT NULL DEFAULT 0;

-- What happened on each day of an application.
CREATE TABLE app_day (
    app_id     BIGINT NOT NULL,
    day        BIGINT NOT NULL, -- since 1970, in UTC
    registered BIGINT NOT NULL,
    deleted    BIGINT NOT NULL,
    logins     BIGINT NOT NULL,
    online     BIGINT NOT NULL, -- the most users at once
    PRIMARY KEY (app_id, day)
);
