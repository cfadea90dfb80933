-- What a user's own relations are, in one row also where there are none. Who
-- may not add anybody has a forbid type, and nick and image are the user's.
-- name: Relation :one
SELECT
    CAST(COALESCE((SELECT p.value FROM profile_value p WHERE p.app_id = $1 AND p.user_id = $2 AND p.tag = 'Tag_Profile_IM_AdminForbidType'), '') AS TEXT) AS forbid,
    CAST(COALESCE((SELECT n.value FROM profile_value n WHERE n.app_id = $1 AND n.user_id = $2 AND n.tag = 'Tag_Profile_IM_Nick'), '') AS TEXT) AS nick,
    CAST(COALESCE((SELECT i.value FROM profile_value i WHERE i.app_id = $1 AND i.user_id = $2 AND i.tag = 'Tag_Profile_IM_Image'), '') AS TEXT) AS image,
    CAST(EXISTS (SELECT 1 FROM account a WHERE a.app_id = $1 AND a.user_id = $2) AS BOOLEAN) AS found,
    CAST(COALESCE(MAX(r.friends), 0) AS BIGINT) AS friends,
    CAST(COALESCE(MAX(r.blocked), 0) AS BIGINT) AS blocked,
    CAST(COALESCE(MAX(r.friend_seq), 0) AS BIGINT) AS friend_seq,
    CAST(COALESCE(MAX(r.custom_seq), 0) AS BIGINT) AS custom_seq,
    CAST(COALESCE(MAX(r.group_seq), 0) AS BIGINT) AS group_seq,
    CAST(COALESCE(MAX(r.application_seq), 0) AS BIGINT) AS application_seq,
    CAST(COALESCE(MAX(r.block_seq), 0) AS BIGINT) AS block_seq
FROM relation r WHERE r.app_id = $1 AND r.user_id = $2;

-- What a user, $2, and another, $3, are to each other. One query, for each costs
-- more than what it looks up.
-- name: Pair :one
SELECT
    CAST(EXISTS (SELECT 1 FROM account a WHERE a.app_id = $1 AND a.user_id = $3) AS BOOLEAN) AS found,
    CAST(EXISTS (SELECT 1 FROM friend h WHERE h.app_id = $1 AND h.user_id = $2 AND h.friend = $3) AS BOOLEAN) AS has,
    CAST(EXISTS (SELECT 1 FROM friend o WHERE o.app_id = $1 AND o.user_id = $3 AND o.friend = $2) AS BOOLEAN) AS had,
    CAST(EXISTS (SELECT 1 FROM friend_block b WHERE b.app_id = $1 AND b.user_id = $2 AND b.blocked = $3) AS BOOLEAN) AS blocks,
    CAST(EXISTS (SELECT 1 FROM friend_block d WHERE d.app_id = $1 AND d.user_id = $3 AND d.blocked = $2) AS BOOLEAN) AS blocked,
    CAST(EXISTS (SELECT 1 FROM friend_application q WHERE q.app_id = $1 AND q.user_id = $2 AND q.outgoing = TRUE AND q.peer = $3) AS BOOLEAN) AS applied,
    CAST(EXISTS (SELECT 1 FROM friend_application s WHERE s.app_id = $1 AND s.user_id = $2 AND s.outgoing = FALSE AND s.peer = $3) AS BOOLEAN) AS asked,
    CAST(EXISTS (SELECT 1 FROM friend_application t WHERE t.app_id = $1 AND t.user_id = $3 AND t.outgoing = TRUE AND t.peer = $2) AS BOOLEAN) AS applied_back,
    CAST(EXISTS (SELECT 1 FROM friend_application v WHERE v.app_id = $1 AND v.user_id = $3 AND v.outgoing = FALSE AND v.peer = $2) AS BOOLEAN) AS asked_back,
    CAST(COALESCE((SELECT r.friends FROM relation r WHERE r.app_id = $1 AND r.user_id = $3), 0) AS BIGINT) AS friends,
    CAST(COALESCE((SELECT p.value FROM profile_value p WHERE p.app_id = $1 AND p.user_id = $3 AND p.tag = 'Tag_Profile_IM_AllowType'), '') AS TEXT) AS allow,
    CAST(COALESCE((SELECT n.value FROM profile_value n WHERE n.app_id = $1 AND n.user_id = $3 AND n.tag = 'Tag_Profile_IM_Nick'), '') AS TEXT) AS nick,
    CAST(COALESCE((SELECT i.value FROM profile_value i WHERE i.app_id = $1 AND i.user_id = $3 AND i.tag = 'Tag_Profile_IM_Image'), '') AS TEXT) AS image;

-- Adds to the figures of a user's lists.
-- name: BumpRelation :exec
INSERT INTO relation (app_id, user_id, friends, blocked, friend_seq, custom_seq, group_seq, application_seq, block_seq)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (app_id, user_id) DO UPDATE SET
    friends = relation.friends + excluded.friends,
    blocked = relation.blocked + excluded.blocked,
    friend_seq = relation.friend_seq + excluded.friend_seq,
    custom_seq = relation.custom_seq + excluded.custom_seq,
    group_seq = relation.group_seq + excluded.group_seq,
    application_seq = relation.application_seq + excluded.application_seq,
    block_seq = relation.block_seq + excluded.block_seq;

-- name: CreateFriend :execrows
INSERT INTO friend (app_id, user_id, friend, position, added, remark, source, wording, group_ids, custom)
SELECT CAST(sqlc.arg(app_id) AS BIGINT), CAST(sqlc.arg(user_id) AS TEXT), CAST(sqlc.arg(friend) AS TEXT),
    COALESCE(MAX(f.position), 0) + 1, CAST(sqlc.arg(added) AS BIGINT), CAST(sqlc.arg(remark) AS TEXT),
    CAST(sqlc.arg(source) AS TEXT), CAST(sqlc.arg(wording) AS TEXT), CAST(sqlc.arg(group_ids) AS TEXT), CAST(sqlc.arg(custom) AS TEXT)
FROM friend f WHERE f.app_id = sqlc.arg(app_id) AND f.user_id = sqlc.arg(user_id)
ON CONFLICT (app_id, friend, user_id) DO NOTHING;

-- name: SaveFriend :execrows
UPDATE friend SET added = $1, remark = $2, source = $3, wording = $4, group_ids = $5, custom = $6
WHERE app_id = $7 AND user_id = $8 AND friend = $9;

-- name: DropFriend :execrows
DELETE FROM friend WHERE app_id = $1 AND user_id = $2 AND friend = $3;

-- name: Friend :many
SELECT friend, position, added, remark, source, wording, group_ids, custom
FROM friend WHERE app_id = $1 AND user_id = $2 AND friend = $3;

-- name: Friends :many
SELECT friend, position, added, remark, source, wording, group_ids, custom
FROM friend WHERE app_id = $1 AND user_id = $2 AND position > $3
ORDER BY position LIMIT $4;

-- name: FriendIDs :many
SELECT friend FROM friend WHERE app_id = $1 AND user_id = $2 ORDER BY position;

-- name: Fans :many
SELECT user_id FROM friend WHERE app_id = $1 AND friend = $2;

-- name: FriendGroups :many
SELECT group_id, name FROM friend_group WHERE app_id = $1 AND user_id = $2 ORDER BY group_id;

-- name: GroupedFriends :many
SELECT friend, group_ids FROM friend WHERE app_id = $1 AND user_id = $2 AND group_ids <> '' ORDER BY position;

-- name: SaveFriendGroup :exec
INSERT INTO friend_group (app_id, user_id, group_id, name) VALUES ($1, $2, $3, $4)
ON CONFLICT (app_id, user_id, group_id) DO UPDATE SET name = excluded.name;

-- name: DropFriendGroup :exec
DELETE FROM friend_group WHERE app_id = $1 AND user_id = $2 AND group_id = $3;

-- name: Applications :many
SELECT peer, outgoing, position, added, source, wording, remark, group_id, seen
FROM friend_application WHERE app_id = $1 AND user_id = $2
ORDER BY added DESC, outgoing, position DESC;

-- name: Application :many
SELECT peer, outgoing, position, added, source, wording, remark, group_id, seen
FROM friend_application WHERE app_id = $1 AND user_id = $2 AND outgoing = $3 AND peer = $4;

-- name: SaveApplication :exec
INSERT INTO friend_application (app_id, user_id, peer, outgoing, position, added, source, wording, remark, group_id, seen)
SELECT CAST(sqlc.arg(app_id) AS BIGINT), CAST(sqlc.arg(user_id) AS TEXT), CAST(sqlc.arg(peer) AS TEXT), CAST(sqlc.arg(outgoing) AS BOOLEAN),
    COALESCE(MAX(f.position), 0) + 1, CAST(sqlc.arg(added) AS BIGINT), CAST(sqlc.arg(source) AS TEXT),
    CAST(sqlc.arg(wording) AS TEXT), CAST(sqlc.arg(remark) AS TEXT), CAST(sqlc.arg(group_id) AS BIGINT), FALSE
FROM friend_application f
WHERE f.app_id = sqlc.arg(app_id) AND f.user_id = sqlc.arg(user_id) AND f.outgoing = sqlc.arg(outgoing)
ON CONFLICT (app_id, user_id, outgoing, peer) DO UPDATE SET
    position = excluded.position, added = excluded.added, source = excluded.source, wording = excluded.wording,
    remark = excluded.remark, group_id = excluded.group_id, seen = excluded.seen;

-- The oldest of more than so many go.
-- name: TrimApplications :exec
DELETE FROM friend_application
WHERE friend_application.app_id = $1 AND friend_application.user_id = $2 AND friend_application.outgoing = $3
    AND friend_application.position <= COALESCE((
    SELECT f.position FROM friend_application f WHERE f.app_id = $1 AND f.user_id = $2 AND f.outgoing = $3
    ORDER BY f.position DESC LIMIT 1 OFFSET $4
), 0);

-- name: DropApplication :execrows
DELETE FROM friend_application WHERE app_id = $1 AND user_id = $2 AND outgoing = $3 AND peer = $4;

-- name: SeeApplications :execrows
UPDATE friend_application SET seen = TRUE
WHERE app_id = $1 AND user_id = $2 AND outgoing = FALSE AND seen = FALSE AND added <= $3;

-- name: Blocks :many
SELECT blocked, position, added FROM friend_block
WHERE app_id = $1 AND user_id = $2 AND position > $3
ORDER BY position LIMIT $4;

-- name: CreateBlock :execrows
INSERT INTO friend_block (app_id, user_id, blocked, position, added)
SELECT CAST(sqlc.arg(app_id) AS BIGINT), CAST(sqlc.arg(user_id) AS TEXT), CAST(sqlc.arg(blocked) AS TEXT),
    COALESCE(MAX(b.position), 0) + 1, CAST(sqlc.arg(added) AS BIGINT)
FROM friend_block b WHERE b.app_id = sqlc.arg(app_id) AND b.user_id = sqlc.arg(user_id)
ON CONFLICT (app_id, blocked, user_id) DO NOTHING;

-- name: DropBlock :execrows
DELETE FROM friend_block WHERE app_id = $1 AND user_id = $2 AND blocked = $3;

-- Who goes leaves the lists of others.
-- name: LeaveFriendLists :exec
UPDATE relation SET friends = friends - 1, friend_seq = friend_seq + 1
WHERE relation.app_id = $1 AND relation.user_id IN (SELECT f.user_id FROM friend f WHERE f.app_id = $1 AND f.friend = $2);

-- name: LeaveBlocklists :exec
UPDATE relation SET blocked = blocked - 1, block_seq = block_seq + 1
WHERE relation.app_id = $1 AND relation.user_id IN (SELECT b.user_id FROM friend_block b WHERE b.app_id = $1 AND b.blocked = $2);

-- name: LeaveApplications :exec
UPDATE relation SET application_seq = application_seq + 1
WHERE relation.app_id = $1 AND relation.user_id IN (SELECT q.user_id FROM friend_application q WHERE q.app_id = $1 AND q.peer = $2);

-- name: ClearFriends :exec
DELETE FROM friend WHERE app_id = $1 AND user_id = $2;

-- name: ClearFans :exec
DELETE FROM friend WHERE app_id = $1 AND friend = $2;

-- name: ClearBlocks :exec
DELETE FROM friend_block WHERE app_id = $1 AND user_id = $2;

-- name: ClearBlockers :exec
DELETE FROM friend_block WHERE app_id = $1 AND blocked = $2;

-- name: ClearApplications :exec
DELETE FROM friend_application WHERE app_id = $1 AND user_id = $2;

-- name: ClearPeerApplications :exec
DELETE FROM friend_application WHERE app_id = $1 AND peer = $2;

-- name: ClearFriendGroups :exec
DELETE FROM friend_group WHERE app_id = $1 AND user_id = $2;

-- name: ClearRelation :exec
DELETE FROM relation WHERE app_id = $1 AND user_id = $2;
