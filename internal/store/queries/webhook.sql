-- name: Webhooks :many
SELECT app_id, token, durable, sign_body, retry, strict, batch FROM webhook ORDER BY app_id;

-- name: WebhookURLs :many
SELECT app_id, url_id, url, commands FROM webhook_url ORDER BY app_id, url_id;

-- name: WebhookSwitches :many
SELECT app_id, command, sent FROM webhook_switch ORDER BY app_id;

-- name: SaveWebhook :exec
INSERT INTO webhook (app_id, token, durable, sign_body, retry, strict, batch)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (app_id) DO UPDATE SET token = excluded.token, durable = excluded.durable, sign_body = excluded.sign_body,
    retry = excluded.retry, strict = excluded.strict, batch = excluded.batch;

-- name: ClearWebhookURLs :exec
DELETE FROM webhook_url WHERE app_id = $1;

-- name: ClearWebhookSwitches :exec
DELETE FROM webhook_switch WHERE app_id = $1;

-- name: CreateWebhookURL :exec
INSERT INTO webhook_url (app_id, url_id, url, commands) VALUES ($1, $2, $3, $4);

-- name: CreateWebhookSwitch :exec
INSERT INTO webhook_switch (app_id, command, sent) VALUES ($1, $2, $3);

-- name: CreateEvent :exec
INSERT INTO webhook_event (app_id, id, ordered, command, at, epoch, seq, addr, device, body)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: Events :many
SELECT app_id, id, ordered, command, at, epoch, seq, addr, device, body
FROM webhook_event WHERE app_id = $1 AND id > $2 AND id <= $3
ORDER BY id LIMIT $4;

-- The first event and the last, 0 for none.
-- name: EventRange :one
SELECT CAST(COALESCE(MIN(id), 0) AS BIGINT) AS first, CAST(COALESCE(MAX(id), 0) AS BIGINT) AS last
FROM webhook_event WHERE app_id = $1;

-- name: OldestEvents :many
SELECT id, at FROM webhook_event WHERE app_id = $1 ORDER BY id LIMIT $2;

-- name: DropEvents :execrows
DELETE FROM webhook_event WHERE app_id = $1 AND id <= $2;

-- name: Cursors :many
SELECT url_id, last, pending FROM webhook_cursor WHERE app_id = $1 ORDER BY url_id;

-- name: CreateCursor :exec
INSERT INTO webhook_cursor (app_id, url_id, last, pending) VALUES ($1, $2, $3, '');

-- name: SaveCursor :exec
UPDATE webhook_cursor SET last = $1, pending = $2 WHERE app_id = $3 AND url_id = $4;

-- name: DropCursor :exec
DELETE FROM webhook_cursor WHERE app_id = $1 AND url_id = $2;
