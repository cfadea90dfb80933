-- name: CountUp :one
INSERT INTO counter (name, value) VALUES ($1, 1)
ON CONFLICT (name) DO UPDATE SET value = counter.value + 1
RETURNING value;

-- Raises a counter by one, or to the floor if that is more.
-- name: RaiseCounter :one
INSERT INTO counter (name, value) VALUES (sqlc.arg(name), sqlc.arg(floor))
ON CONFLICT (name) DO UPDATE
SET value = CASE WHEN excluded.value > counter.value THEN excluded.value ELSE counter.value + 1 END
RETURNING value;

-- name: CreateSecret :exec
INSERT INTO secret (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING;

-- name: Secret :one
SELECT value FROM secret WHERE name = $1;
