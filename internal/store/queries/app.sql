-- name: Apps :many
SELECT app_id, name, enabled, created FROM app ORDER BY app_id;

-- name: AppKeys :many
SELECT app_id, key_id, secret, not_before, not_after, withdrawn FROM app_key ORDER BY app_id, key_id;

-- name: AppAdmins :many
SELECT app_id, user_id FROM app_admin ORDER BY app_id, position;

-- name: AppSettings :many
SELECT app_id, name, value FROM app_setting ORDER BY app_id;

-- name: CreateApp :execrows
INSERT INTO app (app_id, name, enabled, created)
VALUES ($1, $2, $3, $4)
ON CONFLICT (app_id) DO NOTHING;

-- name: SaveApp :exec
INSERT INTO app (app_id, name, enabled, created)
VALUES ($1, $2, $3, $4)
ON CONFLICT (app_id) DO UPDATE SET name = excluded.name, enabled = excluded.enabled;

-- name: CreateAppKey :exec
INSERT INTO app_key (app_id, key_id, secret, not_before, not_after, withdrawn)
VALUES ($1, $2, $3, $4, $5, $6);

-- name: CreateAppAdmin :exec
INSERT INTO app_admin (app_id, user_id, position)
VALUES ($1, $2, $3);

-- name: CreateAppSetting :exec
INSERT INTO app_setting (app_id, name, value)
VALUES ($1, $2, $3);

-- name: ClearAppKeys :exec
DELETE FROM app_key WHERE app_id = $1;

-- name: ClearAppAdmins :exec
DELETE FROM app_admin WHERE app_id = $1;

-- name: ClearAppSettings :exec
DELETE FROM app_setting WHERE app_id = $1;

-- Adds to what happened on a day.
-- name: AddDay :exec
INSERT INTO app_day (app_id, day, registered, deleted, logins, online)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (app_id, day) DO UPDATE SET
    registered = app_day.registered + excluded.registered,
    deleted = app_day.deleted + excluded.deleted,
    logins = app_day.logins + excluded.logins,
    online = CASE WHEN excluded.online > app_day.online THEN excluded.online ELSE app_day.online END;

-- name: Days :many
SELECT day, registered, deleted, logins, online FROM app_day WHERE app_id = $1 AND day >= $2 ORDER BY day DESC;
