-- name: SaveMark :exec
INSERT INTO mark (app_id, user_id, platform, tiny_id, state, at, rev)
SELECT a.app_id, a.user_id, CAST(sqlc.arg(platform) AS BIGINT), a.tiny_id,
    CAST(sqlc.arg(state) AS BIGINT), CAST(sqlc.arg(at) AS BIGINT), CAST(sqlc.arg(rev) AS BIGINT)
FROM account a WHERE a.app_id = sqlc.arg(app_id) AND a.user_id = sqlc.arg(user_id)
ON CONFLICT (app_id, user_id, platform) DO UPDATE SET state = excluded.state, at = excluded.at, rev = excluded.rev
WHERE excluded.rev > mark.rev;

-- name: SaveCustom :exec
INSERT INTO custom_status (app_id, user_id, text, rev, at)
SELECT a.app_id, a.user_id, CAST(sqlc.arg(text) AS TEXT), CAST(sqlc.arg(rev) AS BIGINT), CAST(sqlc.arg(at) AS BIGINT)
FROM account a WHERE a.app_id = sqlc.arg(app_id) AND a.user_id = sqlc.arg(user_id)
ON CONFLICT (app_id, user_id) DO UPDATE SET text = excluded.text, rev = excluded.rev, at = excluded.at
WHERE excluded.rev > custom_status.rev;

-- The users of the next page, then all marks of each. "state <> 3" is there for
-- the index mark_here, which holds no other rows.
-- name: Live :many
SELECT m.user_id, m.tiny_id, m.platform, m.state, m.at, m.rev, CAST(COALESCE(c.text, '') AS TEXT) AS custom
FROM (
    SELECT DISTINCT h.app_id, h.user_id, h.tiny_id FROM mark h
    WHERE h.app_id = $1 AND h.tiny_id > $2 AND h.state <> 3 AND (h.state = 1 OR h.state = 2 AND h.at >= $3)
    ORDER BY h.tiny_id LIMIT $4
) u
JOIN mark m ON m.app_id = u.app_id AND m.user_id = u.user_id
LEFT JOIN custom_status c ON c.app_id = u.app_id AND c.user_id = u.user_id
ORDER BY m.tiny_id, m.platform;

-- It reads the whole table: it is for the start.
-- name: ClearCustoms :exec
UPDATE custom_status SET text = '', rev = $1, at = $2
WHERE text <> '' AND NOT EXISTS (
    SELECT 1 FROM mark m
    WHERE m.app_id = custom_status.app_id AND m.user_id = custom_status.user_id AND m.state = 1
);

-- name: PurgeCustoms :execrows
DELETE FROM custom_status WHERE (app_id, user_id) IN (
    SELECT c.app_id, c.user_id FROM custom_status c
    WHERE c.app_id = $1 AND c.text = '' AND c.at < $2 LIMIT $3
);

-- name: LastPosition :one
SELECT CAST(COALESCE(MAX(position), 0) AS BIGINT) FROM subscription WHERE app_id = $1 AND user_id = $2;

-- name: Watch :exec
INSERT INTO subscription (app_id, user_id, target, position)
VALUES ($1, $2, $3, $4)
ON CONFLICT (app_id, user_id, target) DO UPDATE SET position = excluded.position;

-- name: Unwatch :exec
DELETE FROM subscription WHERE app_id = $1 AND user_id = $2 AND target = $3;

-- name: ClearWatching :exec
DELETE FROM subscription WHERE app_id = $1 AND user_id = $2;

-- name: LastMarkRev :one
SELECT CAST(COALESCE(MAX(rev), 0) AS BIGINT) FROM mark;

-- name: LastCustomRev :one
SELECT CAST(COALESCE(MAX(rev), 0) AS BIGINT) FROM custom_status;
