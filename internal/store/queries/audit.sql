-- name: CreateAudit :exec
INSERT INTO audit (id, at, app_id, user_id, actor, action, detail)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: Audit :many
SELECT id, at, actor, app_id, user_id, action, detail
FROM audit WHERE id < $1
ORDER BY id DESC LIMIT $2;

-- name: AuditOfApp :many
SELECT id, at, actor, app_id, user_id, action, detail
FROM audit WHERE app_id = $1 AND id < $2
ORDER BY id DESC LIMIT $3;
