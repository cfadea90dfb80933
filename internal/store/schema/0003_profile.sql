-- +goose Up

-- The fields of profiles that have been set.
CREATE TABLE profile_value (
    app_id  BIGINT NOT NULL,
    user_id TEXT   NOT NULL,
    tag     TEXT   NOT NULL,
    value   TEXT   NOT NULL, -- base64, for it may hold any character
    PRIMARY KEY (app_id, user_id, tag)
);
