-- +goose Up

-- Who ordered what, for good.
CREATE TABLE audit (
    id      BIGINT NOT NULL, -- rises in the order of the commits
    at      BIGINT NOT NULL, -- Unix milliseconds
    app_id  BIGINT NOT NULL,
    user_id TEXT   NOT NULL, -- whom it is about, '' for the application itself
    actor   TEXT   NOT NULL,
    action  TEXT   NOT NULL,
    detail  TEXT   NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX audit_app ON audit (app_id, id);
