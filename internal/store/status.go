package store

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store/sqlc"
)

// livePage is how many users Live holds at a time.
const livePage = 500

// SaveLive writes marks and custom statuses of any users, each unless one of a
// higher Rev stands. A custom status of no text removes the text and stays, to
// hold off older ones, until [Store.Purge]; its age there comes from its Rev,
// which must be the time in Unix microseconds or more. What is said of a user
// without an account is dropped.
func (s *Store) SaveLive(ctx context.Context, marks []im.Mark, customs []im.CustomRow) error {
	err := s.write(ctx, func(ctx context.Context, q *sqlc.Queries) error { return saveLive(ctx, q, marks, customs) })
	if err != nil {
		return fmt.Errorf("save live state: %w", err)
	}
	return nil
}

// LastRev gives the highest Rev of any mark or custom status, 0 where there is
// none. It reads all of them: it is for the start.
func (s *Store) LastRev(ctx context.Context) (rev int64, err error) {
	err = s.read(ctx, func(ctx context.Context, r reader) error {
		mark, err := r.LastMarkRev(ctx)
		if err != nil {
			return err
		}
		custom, err := r.LastCustomRev(ctx)
		rev = max(mark, custom)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("read the last rev: %w", err)
	}
	return rev, nil
}

// ClearCustoms removes the custom status of everyone who is MarkLive nowhere; rev
// is as [Store.SaveLive] says. It reads all of them: it is for the start.
func (s *Store) ClearCustoms(ctx context.Context, rev int64) error {
	err := s.write(ctx, func(ctx context.Context, q *sqlc.Queries) error {
		return q.ClearCustoms(ctx, sqlc.ClearCustomsParams{Rev: rev, At: rev / 1000})
	})
	if err != nil {
		return fmt.Errorf("clear the custom statuses of who is not live: %w", err)
	}
	return nil
}

func saveLive(ctx context.Context, q *sqlc.Queries, marks []im.Mark, customs []im.CustomRow) error {
	for _, m := range marks {
		if err := saveMark(ctx, q, m); err != nil {
			return err
		}
	}
	for _, c := range customs {
		err := q.SaveCustom(ctx, sqlc.SaveCustomParams{
			Text: base64.StdEncoding.EncodeToString([]byte(c.Text)), Rev: c.Rev, At: c.Rev / 1000,
			AppID: c.User.App, UserID: c.User.User,
		})
		if err != nil {
			return fmt.Errorf("save custom status of %v: %w", c.User, err)
		}
	}
	return nil
}

func saveMark(ctx context.Context, q *sqlc.Queries, m im.Mark) error {
	if m.State == im.MarkNone {
		return nil
	}
	err := q.SaveMark(ctx, sqlc.SaveMarkParams{
		Platform: int64(m.Platform), State: int64(m.State), At: m.At, Rev: m.Rev, AppID: m.User.App, UserID: m.User.User,
	})
	if err != nil {
		return fmt.Errorf("save mark of %v: %w", m.User, err)
	}
	return nil
}

// Live calls each, in no order to rely on, for every user who has a mark
// MarkLive on any platform, or MarkLost of that time, Unix milliseconds, or
// later, with all marks of that user and the custom status. It holds one page
// of users at a time, each page one moment of the database, and no transaction
// while each runs. It ends with the first error of each.
func (s *Store) Live(ctx context.Context, lostSince int64, each func(im.LiveRow) error) error {
	err := s.eachApp(ctx, func(app im.AppID) error {
		for after := int64(0); ; {
			var rows []sqlc.LiveRow
			err := s.read(ctx, func(ctx context.Context, r reader) (err error) {
				rows, err = r.Live(ctx, sqlc.LiveParams{AppID: app, TinyID: after, At: lostSince, Limit: livePage})
				return err
			})
			if err != nil || len(rows) == 0 {
				return err
			}
			if err := eachLive(app, rows, each); err != nil {
				return err
			}
			after = rows[len(rows)-1].TinyID
		}
	})
	if err != nil {
		return fmt.Errorf("load live state: %w", err)
	}
	return nil
}

// eachLive joins the rows, in which those of one user are adjacent.
func eachLive(app im.AppID, rows []sqlc.LiveRow, each func(im.LiveRow) error) error {
	for len(rows) > 0 {
		r := rows[0]
		key := im.UserKey{App: app, User: r.UserID}
		custom, err := base64.StdEncoding.DecodeString(r.Custom)
		if err != nil {
			return fmt.Errorf("read custom status of %v: %w", key, err)
		}
		u := im.LiveRow{User: key, Custom: string(custom)}
		for len(rows) > 0 && rows[0].TinyID == r.TinyID {
			m := rows[0]
			u.Marks = append(u.Marks, im.Mark{User: key, Platform: m.Platform, State: m.State, At: m.At, Rev: m.Rev})
			rows = rows[1:]
		}
		if err := each(u); err != nil {
			return err
		}
	}
	return nil
}

// SaveWatching changes an account's subscription list: first the removed go,
// then the added come to its end in their order, from wherever they stood.
func (s *Store) SaveWatching(ctx context.Context, key im.UserKey, add, remove []im.UserID) error {
	err := s.write(ctx, func(ctx context.Context, q *sqlc.Queries) error { return saveWatching(ctx, q, key, add, remove) })
	if err != nil {
		return fmt.Errorf("save subscription list of %v: %w", key, err)
	}
	return nil
}

func saveWatching(ctx context.Context, q *sqlc.Queries, key im.UserKey, add, remove []im.UserID) error {
	for _, u := range remove {
		if err := q.Unwatch(ctx, sqlc.UnwatchParams{AppID: key.App, UserID: key.User, Target: u}); err != nil {
			return err
		}
	}
	if len(add) == 0 {
		return nil
	}
	last, err := q.LastPosition(ctx, sqlc.LastPositionParams{AppID: key.App, UserID: key.User})
	if err != nil {
		return err
	}
	for _, u := range add {
		last++
		if err := q.Watch(ctx, sqlc.WatchParams{AppID: key.App, UserID: key.User, Target: u, Position: last}); err != nil {
			return err
		}
	}
	return nil
}

// ClearWatching empties an account's subscription list.
func (s *Store) ClearWatching(ctx context.Context, key im.UserKey) error {
	err := s.write(ctx, func(ctx context.Context, q *sqlc.Queries) error {
		return q.ClearWatching(ctx, sqlc.ClearWatchingParams{AppID: key.App, UserID: key.User})
	})
	if err != nil {
		return fmt.Errorf("clear subscription list of %v: %w", key, err)
	}
	return nil
}
