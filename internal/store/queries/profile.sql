-- name: SaveProfileValue :exec
INSERT INTO profile_value (app_id, user_id, tag, value)
SELECT a.app_id, a.user_id, CAST(sqlc.arg(tag) AS TEXT), CAST(sqlc.arg(value) AS TEXT)
FROM account a WHERE a.app_id = sqlc.arg(app_id) AND a.user_id = sqlc.arg(user_id)
ON CONFLICT (app_id, user_id, tag) DO UPDATE SET value = excluded.value;
