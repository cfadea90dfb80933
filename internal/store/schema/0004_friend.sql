-- +goose Up

-- An entry of a user's list of friends. That the friend has the user as well is
-- another row.
CREATE TABLE friend (
    app_id    BIGINT NOT NULL,
    user_id   TEXT   NOT NULL, -- whose list it is
    friend    TEXT   NOT NULL,
    position  BIGINT NOT NULL, -- rises with each entry of the list, to page by
    added     BIGINT NOT NULL, -- Unix seconds
    remark    TEXT   NOT NULL, -- base64
    source    TEXT   NOT NULL,
    wording   TEXT   NOT NULL, -- base64
    group_ids TEXT   NOT NULL, -- of the user's friend groups, joined by commas; one that is no more counts for nothing
    custom    TEXT   NOT NULL, -- base64 of a JSON object of values by tag, '' for none
    PRIMARY KEY (app_id, user_id, position)
);

-- Finds an entry, and who has a user as friend. A third index would be one more
-- place to write to with each entry.
CREATE UNIQUE INDEX friend_pair ON friend (app_id, friend, user_id);

CREATE TABLE friend_group (
    app_id   BIGINT NOT NULL,
    user_id  TEXT   NOT NULL,
    group_id BIGINT NOT NULL, -- rises with each group of the user; never used twice
    name     TEXT   NOT NULL, -- base64
    PRIMARY KEY (app_id, user_id, group_id)
);

-- A friend application stands on two lists, each with a life of its own: the
-- applicant's, where it is outgoing, and the other's.
CREATE TABLE friend_application (
    app_id     BIGINT  NOT NULL,
    user_id    TEXT    NOT NULL, -- whose list it is
    peer       TEXT    NOT NULL,
    outgoing   BOOLEAN NOT NULL,
    position   BIGINT  NOT NULL, -- rises with each entry of the list
    added      BIGINT  NOT NULL, -- Unix seconds
    source     TEXT    NOT NULL,
    wording    TEXT    NOT NULL, -- base64
    remark     TEXT    NOT NULL, -- base64, what the applicant will call the friend
    group_id   BIGINT  NOT NULL, -- the applicant's group for the friend, 0 for none
    seen       BOOLEAN NOT NULL,
    PRIMARY KEY (app_id, user_id, outgoing, peer)
);

CREATE INDEX friend_application_page ON friend_application (app_id, user_id, outgoing, position);
CREATE INDEX friend_application_peer ON friend_application (app_id, peer);

CREATE TABLE friend_block (
    app_id   BIGINT NOT NULL,
    user_id  TEXT   NOT NULL, -- who blocks
    blocked  TEXT   NOT NULL,
    position BIGINT NOT NULL, -- rises with each entry of the list, to page by
    added    BIGINT NOT NULL, -- Unix seconds
    PRIMARY KEY (app_id, user_id, position)
);

CREATE UNIQUE INDEX friend_block_pair ON friend_block (app_id, blocked, user_id);

-- How long a user's lists are, and how often each has changed.
CREATE TABLE relation (
    app_id          BIGINT NOT NULL,
    user_id         TEXT   NOT NULL,
    friends         BIGINT NOT NULL,
    blocked         BIGINT NOT NULL,
    friend_seq      BIGINT NOT NULL,
    custom_seq      BIGINT NOT NULL,
    group_seq       BIGINT NOT NULL,
    application_seq BIGINT NOT NULL,
    block_seq       BIGINT NOT NULL,
    PRIMARY KEY (app_id, user_id)
);
