package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store/sqlc"
)

// Relate has decide look at what a user and some others are to each other, and
// writes the change that it gives, all in one transaction: no other change comes
// between. decide may be called more than once, when the transaction is run
// again, and what it gave last counts. It must be pure and quick: nothing else is
// written meanwhile.
func (s *Store) Relate(ctx context.Context, q im.RelationQuery, decide func(im.Relations) im.RelationChange) error {
	err := s.write(ctx, func(ctx context.Context, tx *sqlc.Queries) error {
		now, err := loadRelations(ctx, tx, q)
		if err != nil {
			return err
		}
		change := decide(now)
		if err := saveRelations(ctx, tx, q.User, change); err != nil {
			return err
		}
		return saveEvents(ctx, tx, change.Events)
	})
	if err != nil {
		return fmt.Errorf("change relations of %v: %w", q.User, err)
	}
	return nil
}

// Relations gives what a user and some others are to each other.
func (s *Store) Relations(ctx context.Context, q im.RelationQuery) (all im.Relations, err error) {
	err = s.read(ctx, func(ctx context.Context, r reader) (err error) {
		all, err = loadRelations(ctx, r.Queries, q)
		return err
	})
	if err != nil {
		return im.Relations{}, fmt.Errorf("load relations of %v: %w", q.User, err)
	}
	return all, nil
}

func loadRelations(ctx context.Context, tx *sqlc.Queries, q im.RelationQuery) (all im.Relations, err error) {
	if all.Relation, err = loadRelation(ctx, tx, q.User); err != nil {
		return all, err
	}
	if q.Groups {
		if all.Groups, err = loadFriendGroups(ctx, tx, q.User); err != nil {
			return all, err
		}
	}
	all.Pairs = make([]im.Pair, 0, len(q.Others))
	for _, other := range q.Others {
		p, err := loadPair(ctx, tx, q, other)
		if err != nil {
			return all, fmt.Errorf("with %s: %w", other, err)
		}
		all.Pairs = append(all.Pairs, p)
	}
	return all, nil
}

func loadRelation(ctx context.Context, tx *sqlc.Queries, key im.UserKey) (im.Relation, error) {
	row, err := tx.Relation(ctx, sqlc.RelationParams{AppID: key.App, UserID: key.User})
	if err != nil {
		return im.Relation{}, err
	}
	texts, err := decode(row.Forbid, row.Nick, row.Image)
	return im.Relation{
		Found: row.Found, Forbidden: texts[0], Nick: texts[1], Image: texts[2],
		Friends: int(row.Friends), Blocked: int(row.Blocked), FriendSeq: row.FriendSeq, CustomSeq: row.CustomSeq,
		GroupSeq: row.GroupSeq, ApplicationSeq: row.ApplicationSeq, BlockSeq: row.BlockSeq,
	}, err
}

func loadPair(ctx context.Context, tx *sqlc.Queries, q im.RelationQuery, other im.UserID) (im.Pair, error) {
	row, err := tx.Pair(ctx, sqlc.PairParams{AppID: q.User.App, UserID: q.User.User, UserID_2: other})
	if err != nil {
		return im.Pair{}, err
	}
	texts, err := decode(row.Allow, row.Nick, row.Image)
	p := im.Pair{
		User: other, Found: row.Found, Has: row.Has, Had: row.Had, Blocks: row.Blocks, Blocked: row.Blocked,
		Applied: row.Applied, Asked: row.Asked, AppliedBack: row.AppliedBack, AskedBack: row.AskedBack,
		Friends: int(row.Friends), Allow: texts[0], Nick: texts[1], Image: texts[2],
	}
	if err == nil && q.Entries && p.Has {
		p.Entry, err = loadFriend(ctx, tx, q.User, other)
	}
	if err == nil && q.Applications && p.Asked {
		p.Application, err = loadApplication(ctx, tx, q.User, other)
	}
	return p, err
}

func loadFriend(ctx context.Context, tx *sqlc.Queries, key im.UserKey, friend im.UserID) (*im.FriendEntry, error) {
	rows, err := tx.Friend(ctx, sqlc.FriendParams{AppID: key.App, UserID: key.User, Friend: friend})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	e, err := friendEntry(sqlc.FriendsRow(rows[0]))
	return &e, err
}

func loadApplication(ctx context.Context, tx *sqlc.Queries, key im.UserKey, peer im.UserID) (*im.FriendApplication, error) {
	rows, err := tx.Application(ctx, sqlc.ApplicationParams{AppID: key.App, UserID: key.User, Outgoing: false, Peer: peer})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	a, err := friendApplication(sqlc.ApplicationsRow(rows[0]))
	return &a, err
}

func loadFriendGroups(ctx context.Context, tx *sqlc.Queries, key im.UserKey) ([]im.FriendGroup, error) {
	rows, err := tx.FriendGroups(ctx, sqlc.FriendGroupsParams{AppID: key.App, UserID: key.User})
	if err != nil {
		return nil, err
	}
	groups := make([]im.FriendGroup, len(rows))
	for i, r := range rows {
		name, err := decode(r.Name)
		if err != nil {
			return nil, err
		}
		groups[i] = im.FriendGroup{ID: r.GroupID, Name: name[0]}
	}
	return groups, nil
}

// FriendPage gives one page of a user's list, from the entry after a position on,
// with the user's own side and groups.
func (s *Store) FriendPage(
	ctx context.Context, key im.UserKey, after int64, most int,
) (own im.Relations, page []im.FriendEntry, err error) {
	err = s.read(ctx, func(ctx context.Context, r reader) error {
		own, err = loadRelations(ctx, r.Queries, im.RelationQuery{User: key, Groups: true})
		if err != nil {
			return err
		}
		rows, err := r.Friends(ctx, sqlc.FriendsParams{
			AppID: key.App, UserID: key.User, Position: after, Limit: int32(most),
		})
		if err != nil {
			return err
		}
		page = make([]im.FriendEntry, len(rows))
		for i, row := range rows {
			if page[i], err = friendEntry(row); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return im.Relations{}, nil, fmt.Errorf("load friends of %v: %w", key, err)
	}
	return own, page, nil
}

// Friends gives whom a user has as friends, in the order of the list.
func (s *Store) Friends(ctx context.Context, key im.UserKey) (ids []im.UserID, err error) {
	err = s.readOne(ctx, func(ctx context.Context, q *sqlc.Queries) (err error) {
		ids, err = q.FriendIDs(ctx, sqlc.FriendIDsParams{AppID: key.App, UserID: key.User})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load the IDs of friends of %v: %w", key, err)
	}
	return ids, nil
}

// Fans gives who has a user as friend, in no order.
func (s *Store) Fans(ctx context.Context, key im.UserKey) (ids []im.UserID, err error) {
	err = s.read(ctx, func(ctx context.Context, r reader) (err error) {
		ids, err = r.Fans(ctx, sqlc.FansParams{AppID: key.App, Friend: key.User})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load who has %v as friend: %w", key, err)
	}
	return ids, nil
}

// BlockedBy reports, for each of the users, whether who is on that user's
// blocklist. The list may be long.
func (s *Store) BlockedBy(ctx context.Context, who im.UserKey, users []im.UserID) ([]bool, error) {
	by := make(map[im.UserID]bool)
	err := s.read(ctx, func(ctx context.Context, r reader) error {
		const text = "SELECT user_id FROM friend_block WHERE app_id = $1 AND blocked = $2 AND user_id IN ("
		return r.queryInOf(ctx, text, []any{who.App, who.User}, users, func(rows *sql.Rows) error {
			var id im.UserID
			if err := rows.Scan(&id); err != nil {
				return err
			}
			by[id] = true
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("load who blocks %v: %w", who, err)
	}
	blocked := make([]bool, len(users))
	for i, u := range users {
		blocked[i] = by[u]
	}
	return blocked, nil
}

// FriendGroups gives a user's groups and, with User and Groups alone, those
// friends who are in any.
func (s *Store) FriendGroups(ctx context.Context, key im.UserKey) (own im.Relations, grouped []im.FriendEntry, err error) {
	err = s.read(ctx, func(ctx context.Context, r reader) error {
		if own, err = loadRelations(ctx, r.Queries, im.RelationQuery{User: key, Groups: true}); err != nil {
			return err
		}
		rows, err := r.GroupedFriends(ctx, sqlc.GroupedFriendsParams{AppID: key.App, UserID: key.User})
		if err != nil {
			return err
		}
		grouped = make([]im.FriendEntry, len(rows))
		for i, row := range rows {
			grouped[i].User = row.Friend
			if grouped[i].Groups, err = groupIDs(row.GroupIds); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return im.Relations{}, nil, fmt.Errorf("load friend groups of %v: %w", key, err)
	}
	return own, grouped, nil
}

// Applications gives both lists of a user, newest first.
func (s *Store) Applications(ctx context.Context, key im.UserKey) (own im.Relation, all []im.FriendApplication, err error) {
	err = s.read(ctx, func(ctx context.Context, r reader) error {
		if own, err = loadRelation(ctx, r.Queries, key); err != nil {
			return err
		}
		rows, err := r.Applications(ctx, sqlc.ApplicationsParams{AppID: key.App, UserID: key.User})
		if err != nil {
			return err
		}
		all = make([]im.FriendApplication, len(rows))
		for i, row := range rows {
			if all[i], err = friendApplication(row); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return im.Relation{}, nil, fmt.Errorf("load friend applications of %v: %w", key, err)
	}
	return own, all, nil
}

// Blocks gives one page of a user's blocklist, from the entry after a position
// on.
func (s *Store) Blocks(ctx context.Context, key im.UserKey, after int64, most int) (own im.Relation, page []im.BlockEntry, err error) {
	err = s.read(ctx, func(ctx context.Context, r reader) error {
		if own, err = loadRelation(ctx, r.Queries, key); err != nil {
			return err
		}
		rows, err := r.Blocks(ctx, sqlc.BlocksParams{
			AppID: key.App, UserID: key.User, Position: after, Limit: int32(most),
		})
		page = make([]im.BlockEntry, len(rows))
		for i, row := range rows {
			page[i] = im.BlockEntry{User: row.Blocked, Position: row.Position, Added: row.Added}
		}
		return err
	})
	if err != nil {
		return im.Relation{}, nil, fmt.Errorf("load the blocklist of %v: %w", key, err)
	}
	return own, page, nil
}

// clearRelations removes all relations of an account that is being deleted, its
// own and others' to it. It is part of the deletion's transaction.
func clearRelations(ctx context.Context, tx *sqlc.Queries, key im.UserKey) error {
	app, user := key.App, key.User
	for _, clear := range []func() error{
		func() error { return tx.LeaveFriendLists(ctx, sqlc.LeaveFriendListsParams{AppID: app, Friend: user}) },
		func() error { return tx.LeaveBlocklists(ctx, sqlc.LeaveBlocklistsParams{AppID: app, Blocked: user}) },
		func() error { return tx.LeaveApplications(ctx, sqlc.LeaveApplicationsParams{AppID: app, Peer: user}) },
		func() error { return tx.ClearFriends(ctx, sqlc.ClearFriendsParams{AppID: app, UserID: user}) },
		func() error { return tx.ClearFans(ctx, sqlc.ClearFansParams{AppID: app, Friend: user}) },
		func() error { return tx.ClearBlocks(ctx, sqlc.ClearBlocksParams{AppID: app, UserID: user}) },
		func() error { return tx.ClearBlockers(ctx, sqlc.ClearBlockersParams{AppID: app, Blocked: user}) },
		func() error { return tx.ClearApplications(ctx, sqlc.ClearApplicationsParams{AppID: app, UserID: user}) },
		func() error {
			return tx.ClearPeerApplications(ctx, sqlc.ClearPeerApplicationsParams{AppID: app, Peer: user})
		},
		func() error { return tx.ClearFriendGroups(ctx, sqlc.ClearFriendGroupsParams{AppID: app, UserID: user}) },
		func() error { return tx.ClearRelation(ctx, sqlc.ClearRelationParams{AppID: app, UserID: user}) },
	} {
		if err := clear(); err != nil {
			return fmt.Errorf("clear the relations: %w", err)
		}
	}
	return nil
}

// decode decodes texts that may hold any character.
func decode(texts ...string) ([]string, error) {
	for i, text := range texts {
		if text == "" {
			continue
		}
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return texts, fmt.Errorf("read a text: %w", err)
		}
		texts[i] = string(b)
	}
	return texts, nil
}

func encode(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func friendEntry(row sqlc.FriendsRow) (im.FriendEntry, error) {
	e := im.FriendEntry{User: row.Friend, Position: row.Position, Added: row.Added, Source: row.Source}
	texts, err := decode(row.Remark, row.Wording, row.Custom)
	if err != nil {
		return e, err
	}
	e.Remark, e.Wording = texts[0], texts[1]
	if texts[2] != "" {
		if err := json.Unmarshal([]byte(texts[2]), &e.Custom); err != nil {
			return e, fmt.Errorf("read the custom fields of %s: %w", e.User, err)
		}
	}
	e.Groups, err = groupIDs(row.GroupIds)
	return e, err
}

func friendApplication(row sqlc.ApplicationsRow) (im.FriendApplication, error) {
	texts, err := decode(row.Wording, row.Remark)
	return im.FriendApplication{
		Peer: row.Peer, Outgoing: row.Outgoing, Position: row.Position, Added: row.Added,
		Source: row.Source, Wording: texts[0], Remark: texts[1], Group: row.GroupID, Seen: row.Seen,
	}, err
}

func groupIDs(list string) ([]int64, error) {
	if list == "" {
		return nil, nil
	}
	parts := strings.Split(list, ",")
	ids := make([]int64, len(parts))
	for i, part := range parts {
		id, err := strconv.ParseInt(part, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read the groups of a friend: %w", err)
		}
		ids[i] = id
	}
	return ids, nil
}

func groupList(ids []int64) string {
	var b []byte
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, id, 10)
	}
	return string(b)
}

func customText(custom map[string]string) (string, error) {
	if len(custom) == 0 {
		return "", nil
	}
	text, err := json.Marshal(custom)
	return encode(string(text)), err
}
