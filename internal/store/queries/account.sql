-- One query, for each costs more than what it looks up. Without an account the
-- TinyID is 0.
-- name: Account :one
SELECT
    CAST(COALESCE((SELECT r.revoked_before FROM revocation r WHERE r.app_id = $1 AND r.user_id = $2), 0) AS BIGINT) AS revoked_before,
    CAST(COALESCE((SELECT a.tiny_id FROM account a WHERE a.app_id = $1 AND a.user_id = $2), 0) AS BIGINT) AS tiny_id,
    CAST(COALESCE((SELECT b.banned FROM account b WHERE b.app_id = $1 AND b.user_id = $2), FALSE) AS BOOLEAN) AS banned;

-- All that is known of a user, in one statement: each costs more than what it
-- looks up. The row of part 0 is the account, with its subscription list, whose
-- entries hold no spaces, and what the marks say together: one of them live, 0 or 1,
-- and when the latest was made. Those of part 1 are the sessions, in any order.
-- name: User :many
SELECT
    CAST(0 AS BIGINT) AS part,
    CAST(COALESCE((
        SELECT string_agg(w.target, ' ' ORDER BY w.position) FROM subscription w WHERE w.app_id = $1 AND w.user_id = $2
    ), '') AS TEXT) AS watching,
    CAST(COALESCE((SELECT r.revoked_before FROM revocation r WHERE r.app_id = $1 AND r.user_id = $2), 0) AS BIGINT) AS a,
    CAST(COALESCE((SELECT a.tiny_id FROM account a WHERE a.app_id = $1 AND a.user_id = $2), 0) AS BIGINT) AS b,
    CAST(COALESCE((SELECT CASE WHEN b.banned THEN 1 ELSE 0 END FROM account b WHERE b.app_id = $1 AND b.user_id = $2), 0) AS BIGINT) AS c,
    CAST(COALESCE(MAX(CASE WHEN m.state = 1 THEN 1 ELSE 0 END), 0) AS BIGINT) AS d,
    CAST(COALESCE(MAX(m.at), 0) AS BIGINT) AS e,
    CAST(0 AS BIGINT) AS f, CAST(0 AS BIGINT) AS g
FROM mark m WHERE m.app_id = $1 AND m.user_id = $2
UNION ALL
SELECT 1, '', s.inst, s.platform, s.key_id, s.opened, s.expires, s.closed, s.cause
FROM session s WHERE s.app_id = $1 AND s.user_id = $2;

-- name: CreateAccount :exec
INSERT INTO account (app_id, user_id, tiny_id, created, banned)
VALUES ($1, $2, $3, $4, FALSE);

-- name: SetBanned :execrows
UPDATE account SET banned = $1 WHERE app_id = $2 AND user_id = $3;

-- The next application with an account; all of them when repeated.
-- name: NextApp :one
SELECT app_id FROM account WHERE app_id > $1 ORDER BY app_id LIMIT 1;

-- name: Revoke :exec
INSERT INTO revocation (app_id, user_id, revoked_before)
VALUES ($1, $2, $3)
ON CONFLICT (app_id, user_id) DO UPDATE SET revoked_before = excluded.revoked_before
WHERE excluded.revoked_before > revocation.revoked_before;

-- name: SetDeleted :exec
UPDATE revocation SET deleted = $1 WHERE app_id = $2 AND user_id = $3;

-- When the account was deleted last, 0 for never.
-- name: Deleted :one
SELECT CAST(COALESCE((SELECT r.deleted FROM revocation r WHERE r.app_id = $1 AND r.user_id = $2), 0) AS BIGINT);

-- A value that is there already is no change.
-- name: ImportValue :execrows
INSERT INTO profile_value (app_id, user_id, tag, value)
VALUES ($1, $2, $3, $4)
ON CONFLICT (app_id, user_id, tag) DO UPDATE SET value = excluded.value
WHERE excluded.value <> profile_value.value;

-- name: DeleteAccount :exec
DELETE FROM account WHERE app_id = $1 AND user_id = $2;

-- name: DeleteSessions :exec
DELETE FROM session WHERE app_id = $1 AND user_id = $2;

-- name: DeleteMarks :exec
DELETE FROM mark WHERE app_id = $1 AND user_id = $2;

-- name: DeleteCustom :exec
DELETE FROM custom_status WHERE app_id = $1 AND user_id = $2;

-- name: DeleteProfile :exec
DELETE FROM profile_value WHERE app_id = $1 AND user_id = $2;

-- name: CountAccounts :one
SELECT COUNT(*) FROM account WHERE app_id = $1;
