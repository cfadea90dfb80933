-- name: Account :one
SELECT tiny_id, banned FROM account WHERE app_id = $1 AND user_id = $2;

-- name: CreateAccount :exec
INSERT INTO account (app_id, user_id, tiny_id, created, banned)
VALUES ($1, $2, $3, $4, FALSE);

-- name: SetBanned :execrows
UPDATE account SET banned = $1 WHERE app_id = $2 AND user_id = $3;

-- The next application with an account; all of them when repeated.
-- name: NextApp :one
SELECT app_id FROM account WHERE app_id > $1 ORDER BY app_id LIMIT 1;

-- name: RevokedBefore :one
SELECT revoked_before FROM revocation WHERE app_id = $1 AND user_id = $2;

-- name: Revoke :exec
INSERT INTO revocation (app_id, user_id, revoked_before)
VALUES ($1, $2, $3)
ON CONFLICT (app_id, user_id) DO UPDATE SET revoked_before = excluded.revoked_before
WHERE excluded.revoked_before > revocation.revoked_before;
