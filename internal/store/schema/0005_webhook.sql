-- +goose Up

-- What an application has set of its webhooks.
CREATE TABLE webhook (
    app_id    BIGINT  NOT NULL,
    token     TEXT    NOT NULL,
    durable   BOOLEAN NOT NULL,
    sign_body BOOLEAN NOT NULL,
    retry     BOOLEAN NOT NULL,
    strict    BOOLEAN NOT NULL,
    batch     BIGINT  NOT NULL,
    PRIMARY KEY (app_id)
);

CREATE TABLE webhook_url (
    app_id   BIGINT NOT NULL,
    url_id   BIGINT NOT NULL,
    url      TEXT   NOT NULL,
    commands TEXT   NOT NULL, -- with spaces between, '' for all
    PRIMARY KEY (app_id, url_id)
);

-- The commands that are not switched as by default.
CREATE TABLE webhook_switch (
    app_id  BIGINT  NOT NULL,
    command TEXT    NOT NULL,
    sent    BOOLEAN NOT NULL,
    PRIMARY KEY (app_id, command)
);

-- Events that are sent at least once. They stay a while after they were sent.
CREATE TABLE webhook_event (
    app_id   BIGINT NOT NULL,
    id       BIGINT NOT NULL, -- its place among those of the application
    ordered  TEXT   NOT NULL, -- those of one text are sent in order
    command  TEXT   NOT NULL,
    at       BIGINT NOT NULL, -- Unix milliseconds
    epoch    BIGINT NOT NULL,
    seq      BIGINT NOT NULL,
    addr     TEXT   NOT NULL,
    device   TEXT   NOT NULL, -- its kind, as the receiver knows it
    body     TEXT   NOT NULL, -- JSON
    PRIMARY KEY (app_id, id)
);

-- How far each URL was told: all up to last, save the pending ones.
CREATE TABLE webhook_cursor (
    app_id  BIGINT NOT NULL,
    url_id  BIGINT NOT NULL,
    last    BIGINT NOT NULL,
    pending TEXT   NOT NULL, -- event ids with spaces between
    PRIMARY KEY (app_id, url_id)
);
