package store

import (
	"context"
	"fmt"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store/sqlc"
)

// OpenSession writes a login by a UserSig of the time issued, Unix seconds:
// registers the account if there is none, opens the session, closes those it
// pushed out, sets the mark unless a newer one stands, and drops the
// subscription list if it is to be forgotten, and keeps the events. All rows are
// those of o.User; a mark of state MarkNone is none.
//
// It gives the account's TinyID, or writes nothing and gives an [im.Error] with
// [im.CodeSigExpired] for a UserSig that has been revoked, with [im.CodeBanned]
// for a banned account, and [ErrExists] if the user has or had a session of
// that number.
func (s *Store) OpenSession(ctx context.Context, o im.Opening, issued int64) (tinyID int64, err error) {
	err = s.write(ctx, func(ctx context.Context, q *sqlc.Queries) (err error) {
		tinyID, err = openSession(ctx, q, o, issued)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("open session of %v: %w", o.User, err)
	}
	return tinyID, nil
}

func openSession(ctx context.Context, q *sqlc.Queries, o im.Opening, issued int64) (int64, error) {
	tinyID, err := admit(ctx, q, o.User, issued)
	if err != nil {
		return 0, err
	}
	n, err := q.CreateSession(ctx, sqlc.CreateSessionParams{
		AppID: o.User.App, UserID: o.User.User, Inst: o.Session.Inst, Platform: o.Session.Platform,
		KeyID: o.Session.KeyID, Opened: o.Session.Opened, Expires: o.Session.Expires,
	})
	if err != nil {
		return 0, fmt.Errorf("create session %d: %w", o.Session.Inst, err)
	}
	if n == 0 { // nothing is written yet
		return 0, refuse(fmt.Errorf("session %d: %w", o.Session.Inst, ErrExists))
	}
	if tinyID == 0 {
		if tinyID, err = createAccount(ctx, q, o.User, o.Session.Opened); err != nil {
			return 0, err
		}
	}
	if o.Forget {
		err := q.ClearWatching(ctx, sqlc.ClearWatchingParams{AppID: o.User.App, UserID: o.User.User})
		if err != nil {
			return 0, fmt.Errorf("forget the subscription list: %w", err)
		}
	}
	if err := closeSessions(ctx, q, o.User, o.Ended); err != nil {
		return 0, err
	}
	o.Mark.User = o.User
	if err := saveMark(ctx, q, o.Mark); err != nil {
		return 0, err
	}
	return tinyID, saveEvents(ctx, q, o.Events)
}

// admit is the fence between a login and a revocation: whichever is committed
// first, a revoked token opens no session. It gives the TinyID, 0 where there is
// no account yet.
func admit(ctx context.Context, q *sqlc.Queries, key im.UserKey, issued int64) (tinyID int64, err error) {
	account, err := q.Account(ctx, sqlc.AccountParams{AppID: key.App, UserID: key.User})
	switch before := account.RevokedBefore; {
	case err != nil:
		return 0, fmt.Errorf("read the account: %w", err)
	case before > 0 && issued <= before:
		return 0, refuse(im.Err(im.CodeSigExpired))
	case account.Banned:
		return 0, refuse(im.Err(im.CodeBanned))
	}
	return account.TinyID, nil
}

// CloseSessions closes sessions of one user, with the time and the cause that
// each row has, and sets the marks and custom statuses that follow from it
// unless newer ones stand. Closing a session that is closed or missing is no
// error, and the first cause stays.
func (s *Store) CloseSessions(ctx context.Context, key im.UserKey, ended []im.SessionRow, marks []im.Mark, customs ...im.CustomRow) error {
	err := s.write(ctx, func(ctx context.Context, q *sqlc.Queries) error {
		if err := closeSessions(ctx, q, key, ended); err != nil {
			return err
		}
		return saveLive(ctx, q, marks, customs)
	})
	if err != nil {
		return fmt.Errorf("close sessions of %v: %w", key, err)
	}
	return nil
}

func closeSessions(ctx context.Context, q *sqlc.Queries, key im.UserKey, ended []im.SessionRow) error {
	for _, e := range ended {
		err := q.CloseSession(ctx, sqlc.CloseSessionParams{
			Closed: e.Closed, Cause: e.Cause, AppID: key.App, UserID: key.User, Inst: e.Inst,
		})
		if err != nil {
			return fmt.Errorf("close session %d: %w", e.Inst, err)
		}
	}
	return nil
}
