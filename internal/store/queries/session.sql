-- name: CreateSession :execrows
INSERT INTO session (app_id, user_id, inst, platform, key_id, opened, expires, closed, cause)
VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0)
ON CONFLICT (app_id, user_id, inst) DO NOTHING;

-- name: CloseSession :exec
UPDATE session SET closed = $1, cause = $2
WHERE app_id = $3 AND user_id = $4 AND inst = $5 AND closed = 0;

-- name: PurgeSessions :execrows
DELETE FROM session WHERE (app_id, user_id, inst) IN (
    SELECT s.app_id, s.user_id, s.inst FROM session s
    WHERE s.app_id = $1 AND s.closed > 0 AND s.closed < $2 LIMIT $3
);
