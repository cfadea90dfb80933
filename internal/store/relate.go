package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store/sqlc"
)

// relating is one change of relations that is being written, with what it does
// to the figures of each user's lists.
type relating struct {
	*sqlc.Queries
	user  im.UserKey
	bumps map[im.UserID]*sqlc.BumpRelationParams
}

func saveRelations(ctx context.Context, tx *sqlc.Queries, user im.UserKey, ch im.RelationChange) error {
	r := relating{Queries: tx, user: user, bumps: make(map[im.UserID]*sqlc.BumpRelationParams, 2)}
	for _, save := range []func(context.Context, *im.RelationChange) error{
		r.saveGroups, r.dropFriends, r.addFriends, r.saveFriends, r.withdraw, r.apply, r.see, r.unblock, r.block, r.bump,
	} {
		if err := save(ctx, &ch); err != nil {
			return err
		}
	}
	return nil
}

// of gives what is added to the figures of a user's lists.
func (r *relating) of(u im.UserID) *sqlc.BumpRelationParams {
	b := r.bumps[u]
	if b == nil {
		b = &sqlc.BumpRelationParams{AppID: r.user.App, UserID: u}
		r.bumps[u] = b
	}
	return b
}

// bump writes the figures, always in one order, so that two databases' worth of
// writers do not wait for each other.
func (r *relating) bump(ctx context.Context, _ *im.RelationChange) error {
	for _, u := range slices.Sorted(maps.Keys(r.bumps)) {
		if err := r.BumpRelation(ctx, *r.bumps[u]); err != nil {
			return fmt.Errorf("count the relations of %s: %w", u, err)
		}
	}
	return nil
}

func (r *relating) saveGroups(ctx context.Context, ch *im.RelationChange) error {
	own := r.user
	for _, g := range ch.Groups {
		err := r.SaveFriendGroup(ctx, sqlc.SaveFriendGroupParams{AppID: own.App, UserID: own.User, GroupID: g.ID, Name: encode(g.Name)})
		if err != nil {
			return fmt.Errorf("save friend group %d: %w", g.ID, err)
		}
		r.of(own.User).GroupSeq++
	}
	for _, id := range ch.Ungroup {
		if err := r.DropFriendGroup(ctx, sqlc.DropFriendGroupParams{AppID: own.App, UserID: own.User, GroupID: id}); err != nil {
			return fmt.Errorf("drop friend group %d: %w", id, err)
		}
		r.of(own.User).GroupSeq++
	}
	return nil
}

func (r *relating) dropFriends(ctx context.Context, ch *im.RelationChange) error {
	for _, e := range ch.Drop {
		n, err := r.DropFriend(ctx, sqlc.DropFriendParams{AppID: r.user.App, UserID: e.From, Friend: e.To})
		if err != nil {
			return fmt.Errorf("drop friend %s of %s: %w", e.To, e.From, err)
		}
		if n > 0 {
			b := r.of(e.From)
			b.Friends--
			b.FriendSeq++
		}
	}
	return nil
}

func (r *relating) addFriends(ctx context.Context, ch *im.RelationChange) error {
	for _, f := range ch.Add {
		custom, err := customText(f.Custom)
		if err != nil {
			return err
		}
		n, err := r.CreateFriend(ctx, sqlc.CreateFriendParams{
			AppID: int64(r.user.App), UserID: string(f.Owner), Friend: string(f.User), Added: f.Added, Remark: encode(f.Remark),
			Source: f.Source, Wording: encode(f.Wording), GroupIds: groupList(f.Groups), Custom: custom,
		})
		if err != nil {
			return fmt.Errorf("add friend %s of %s: %w", f.User, f.Owner, err)
		}
		if n > 0 {
			b := r.of(f.Owner)
			b.Friends++
			b.FriendSeq++
		}
	}
	return nil
}

func (r *relating) saveFriends(ctx context.Context, ch *im.RelationChange) error {
	for _, f := range ch.Save {
		custom, err := customText(f.Custom)
		if err != nil {
			return err
		}
		n, err := r.SaveFriend(ctx, sqlc.SaveFriendParams{
			Added: f.Added, Remark: encode(f.Remark), Source: f.Source, Wording: encode(f.Wording),
			GroupIds: groupList(f.Groups), Custom: custom, AppID: r.user.App, UserID: f.Owner, Friend: f.User,
		})
		if err != nil {
			return fmt.Errorf("save friend %s of %s: %w", f.User, f.Owner, err)
		}
		if n > 0 {
			b := r.of(f.Owner)
			b.FriendSeq++
			b.CustomSeq++
		}
	}
	return nil
}

func (r *relating) withdraw(ctx context.Context, ch *im.RelationChange) error {
	for _, w := range ch.Withdraw {
		n, err := r.DropApplication(ctx, sqlc.DropApplicationParams{
			AppID: r.user.App, UserID: w.Owner, Outgoing: w.Outgoing, Peer: w.Peer,
		})
		if err != nil {
			return fmt.Errorf("drop application of %s and %s: %w", w.Owner, w.Peer, err)
		}
		if n > 0 {
			r.of(w.Owner).ApplicationSeq++
		}
	}
	return nil
}

func (r *relating) apply(ctx context.Context, ch *im.RelationChange) error {
	for _, a := range ch.Apply {
		err := r.SaveApplication(ctx, sqlc.SaveApplicationParams{
			AppID: int64(r.user.App), UserID: string(a.Owner), Peer: string(a.Peer), Outgoing: a.Outgoing, Added: a.Added,
			Source: a.Source, Wording: encode(a.Wording), Remark: encode(a.Remark), GroupID: a.Group,
		})
		if err != nil {
			return fmt.Errorf("save application of %s and %s: %w", a.Owner, a.Peer, err)
		}
		err = r.TrimApplications(ctx, sqlc.TrimApplicationsParams{
			AppID: r.user.App, UserID: a.Owner, Outgoing: a.Outgoing, Offset: int32(cmp.Or(ch.Keep, im.MaxApplications)),
		})
		if err != nil {
			return fmt.Errorf("trim applications of %s: %w", a.Owner, err)
		}
		r.of(a.Owner).ApplicationSeq++
	}
	return nil
}

func (r *relating) see(ctx context.Context, ch *im.RelationChange) error {
	if ch.See == 0 {
		return nil
	}
	n, err := r.SeeApplications(ctx, sqlc.SeeApplicationsParams{AppID: r.user.App, UserID: r.user.User, Added: ch.See})
	if err != nil {
		return fmt.Errorf("see applications: %w", err)
	}
	if n > 0 {
		r.of(r.user.User).ApplicationSeq++
	}
	return nil
}

func (r *relating) unblock(ctx context.Context, ch *im.RelationChange) error {
	for _, e := range ch.Unblock {
		n, err := r.DropBlock(ctx, sqlc.DropBlockParams{AppID: r.user.App, UserID: e.From, Blocked: e.To})
		if err != nil {
			return fmt.Errorf("unblock %s: %w", e.To, err)
		}
		if n > 0 {
			b := r.of(e.From)
			b.Blocked--
			b.BlockSeq++
		}
	}
	return nil
}

func (r *relating) block(ctx context.Context, ch *im.RelationChange) error {
	for _, e := range ch.Block {
		n, err := r.CreateBlock(ctx, sqlc.CreateBlockParams{
			AppID: int64(r.user.App), UserID: string(e.Owner), Blocked: string(e.User), Added: e.Added,
		})
		if err != nil {
			return fmt.Errorf("block %s: %w", e.User, err)
		}
		if n > 0 {
			b := r.of(e.Owner)
			b.Blocked++
			b.BlockSeq++
		}
	}
	return nil
}
