package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/base64"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store/sqlc"
)

// firstTinyID is the number below the first account's. It is as long as those
// of the original service.
const firstTinyID = 144115200000000000

// chunk is how many values one IN list holds; both databases allow far more.
const chunk = 512

// Accounts gives the TinyIDs of those of the users who have an account. The
// list may be long.
func (s *Store) Accounts(ctx context.Context, app im.AppID, ids []im.UserID) (map[im.UserID]int64, error) {
	found := make(map[im.UserID]int64, len(ids))
	err := s.read(ctx, func(ctx context.Context, r reader) error {
		const text = "SELECT user_id, tiny_id FROM account WHERE app_id = $1 AND user_id IN ("
		return r.queryIn(ctx, text, app, ids, func(rows *sql.Rows) error {
			var id im.UserID
			var tinyID int64
			if err := rows.Scan(&id, &tinyID); err != nil {
				return err
			}
			found[id] = tinyID
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("load accounts: %w", err)
	}
	return found, nil
}

// queryIn runs a query whose text ends in "IN (" and whose $1 is the
// application, once for each chunk of the list, and calls scan for each row.
func (r reader) queryIn(
	ctx context.Context, text string, app im.AppID, list []im.UserID, scan func(*sql.Rows) error,
) error {
	return r.queryInOf(ctx, text, []any{app}, list, scan)
}

// queryInOf is queryIn with arguments of its own before the list.
func (r reader) queryInOf(ctx context.Context, text string, own []any, list []im.UserID, scan func(*sql.Rows) error) error {
	for ids := range slices.Chunk(list, chunk) {
		query, args := []byte(text), slices.Clone(own)
		for i := range padded(len(ids)) {
			if i > 0 {
				query = append(query, ',')
			}
			args = append(args, ids[min(i, len(ids)-1)])
			query = strconv.AppendInt(append(query, '$'), int64(len(args)), 10)
		}
		if err := r.queryRows(ctx, string(append(query, ')')), args, scan); err != nil {
			return err
		}
	}
	return nil
}

// padded gives the next power of two. A list is filled up to that with its last
// value, so that there are ten texts of a query and not as many as lengths: the
// driver of PostgreSQL keeps each prepared.
func padded(n int) int { return 1 << bits.Len(uint(n-1)) }

func (r reader) queryRows(ctx context.Context, query string, args []any, scan func(*sql.Rows) error) error {
	rows, err := r.tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // Err has what went wrong
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// User gives what one moment of the database knows of a user. One without an
// account is no error: Found is false then.
func (s *Store) User(ctx context.Context, key im.UserKey) (im.UserRow, error) {
	var rows []sqlc.UserRow
	err := s.readOne(ctx, func(ctx context.Context, q *sqlc.Queries) (err error) {
		rows, err = q.User(ctx, sqlc.UserParams{AppID: key.App, UserID: key.User})
		return err
	})
	if err != nil {
		return im.UserRow{}, fmt.Errorf("load user %v: %w", key, err)
	}
	return userOf(rows), nil
}

// userOf joins the parts of a user.
func userOf(rows []sqlc.UserRow) (u im.UserRow) {
	for _, r := range rows {
		if r.Part == 0 {
			u.RevokedBefore, u.TinyID, u.Banned, u.Live, u.LastPresence = r.A, r.B, r.C != 0, r.D != 0, r.E
			u.Watching = words(r.Watching)
			continue
		}
		u.Sessions = append(u.Sessions, im.SessionRow{
			Inst: im.InstID(r.A), Platform: im.Platform(r.B), KeyID: uint32(r.C),
			Opened: r.D, Expires: r.E, Closed: r.F, Cause: im.Cause(r.G),
		})
	}
	if u.TinyID == 0 {
		return im.UserRow{RevokedBefore: u.RevokedBefore}
	}
	u.Found = true
	slices.SortFunc(u.Sessions, func(x, y im.SessionRow) int {
		return cmp.Or(cmp.Compare(x.Opened, y.Opened), cmp.Compare(x.Inst, y.Inst))
	})
	return u
}

// words gives the names in a text, which spaces part. The list has room for no
// more: it is kept.
func words(text string) []im.UserID {
	if text == "" {
		return nil
	}
	list := make([]im.UserID, 0, strings.Count(text, " ")+1)
	for word := range strings.SplitSeq(text, " ") {
		list = append(list, im.UserID(word))
	}
	return list
}

// Standing gives what was ordered about a user, who need not have an account.
func (s *Store) Standing(ctx context.Context, key im.UserKey) (im.Standing, error) {
	var found im.Standing
	err := s.read(ctx, func(ctx context.Context, r reader) error {
		row, err := r.Account(ctx, sqlc.AccountParams{AppID: key.App, UserID: key.User})
		found = im.Standing{RevokedBefore: row.RevokedBefore, Banned: row.Banned}
		return err
	})
	if err != nil {
		return im.Standing{}, fmt.Errorf("load the standing of %v: %w", key, err)
	}
	return found, nil
}

// Revoke carries out an order about a user. UserSigs of the second o.Before,
// Unix, and earlier are dead for good; that never takes back what a later
// revocation said, needs no account and outlives it. The ban is set or lifted,
// the sessions are closed and the marks and custom statuses set as
// [Store.CloseSessions] does it, the events are kept, and the audit row, which is
// about o.User whatever it says, is kept if it has an Action.
//
// If the account is to be deleted, everything that is kept of it goes instead,
// save for the revocation, and so does its place on others' lists of friends,
// applications and blocked users; a place on a subscription list is theirs.
//
// It does all of that, or nothing and gives an [im.Error] with
// [im.CodeNoAccount] if a ban is to be set or lifted, or an account deleted, where
// there is none.
func (s *Store) Revoke(ctx context.Context, o im.Order) error {
	err := s.write(ctx, func(ctx context.Context, q *sqlc.Queries) error { return revoke(ctx, q, o) })
	if err != nil {
		return fmt.Errorf("carry out the order about %v: %w", o.User, err)
	}
	return nil
}

func revoke(ctx context.Context, q *sqlc.Queries, o im.Order) error {
	follow := throwOut
	if o.Delete {
		follow = deleteAccount
	}
	if err := follow(ctx, q, o); err != nil {
		return err
	}
	if err := saveEvents(ctx, q, o.Events); err != nil {
		return err
	}
	if o.Audit.Action == "" {
		return nil
	}
	o.Audit.App, o.Audit.User = o.User.App, o.User.User
	return createAudit(ctx, q, o.Audit)
}

func throwOut(ctx context.Context, q *sqlc.Queries, o im.Order) error {
	if err := setBan(ctx, q, o.User, o.Ban); err != nil { // first: it may refuse
		return err
	}
	if err := revokeBefore(ctx, q, o); err != nil {
		return err
	}
	if err := closeSessions(ctx, q, o.User, o.Ended); err != nil {
		return err
	}
	return saveLive(ctx, q, o.Marks, o.Customs)
}

func revokeBefore(ctx context.Context, q *sqlc.Queries, o im.Order) error {
	if o.Before == 0 {
		return nil
	}
	err := q.Revoke(ctx, sqlc.RevokeParams{AppID: o.User.App, UserID: o.User.User, RevokedBefore: o.Before})
	if err != nil {
		return fmt.Errorf("revoke the tokens: %w", err)
	}
	return nil
}

// deleteAccount removes an account and everything that is its own. The
// revocation stays, or an old UserSig would register the account anew.
func deleteAccount(ctx context.Context, q *sqlc.Queries, o im.Order) error {
	app, user := o.User.App, o.User.User
	account, err := q.Account(ctx, sqlc.AccountParams{AppID: app, UserID: user})
	switch {
	case err != nil:
		return fmt.Errorf("read the account: %w", err)
	case account.TinyID == 0:
		return refuse(im.Err(im.CodeNoAccount))
	}
	for _, remove := range []func() error{
		func() error { return revokeBefore(ctx, q, o) },
		func() error {
			return q.SetDeleted(ctx, sqlc.SetDeletedParams{Deleted: o.Before, AppID: app, UserID: user})
		},
		func() error { return q.DeleteSessions(ctx, sqlc.DeleteSessionsParams{AppID: app, UserID: user}) },
		func() error { return q.DeleteMarks(ctx, sqlc.DeleteMarksParams{AppID: app, UserID: user}) },
		func() error { return q.DeleteCustom(ctx, sqlc.DeleteCustomParams{AppID: app, UserID: user}) },
		func() error { return q.ClearWatching(ctx, sqlc.ClearWatchingParams{AppID: app, UserID: user}) },
		func() error { return clearRelations(ctx, q, o.User) },
		func() error { return q.DeleteProfile(ctx, sqlc.DeleteProfileParams{AppID: app, UserID: user}) },
		func() error { return q.DeleteAccount(ctx, sqlc.DeleteAccountParams{AppID: app, UserID: user}) },
		func() error {
			return q.AddDay(ctx, sqlc.AddDayParams{AppID: app, Day: im.DayOf(o.Before * 1000), Deleted: 1})
		},
	} {
		if err := remove(); err != nil {
			return fmt.Errorf("delete the account: %w", err)
		}
	}
	return nil
}

func setBan(ctx context.Context, q *sqlc.Queries, key im.UserKey, ban im.Ban) error {
	if ban == im.BanKeep {
		return nil
	}
	n, err := q.SetBanned(ctx, sqlc.SetBannedParams{Banned: ban == im.BanSet, AppID: key.App, UserID: key.User})
	if err != nil {
		return fmt.Errorf("set the ban: %w", err)
	}
	if n == 0 {
		return refuse(im.Err(im.CodeNoAccount))
	}
	return nil
}

// createAccount registers a user and gives the TinyID, which no other account
// of this installation ever has.
func createAccount(ctx context.Context, q *sqlc.Queries, key im.UserKey, created int64) (int64, error) {
	n, err := q.CountUp(ctx, accountCounter)
	if err != nil {
		return 0, fmt.Errorf("number the account: %w", err)
	}
	tinyID := firstTinyID + n
	err = q.CreateAccount(ctx, sqlc.CreateAccountParams{
		AppID: key.App, UserID: key.User, TinyID: tinyID, Created: created,
	})
	if err != nil {
		return 0, fmt.Errorf("create the account: %w", err)
	}
	if err := q.AddDay(ctx, sqlc.AddDayParams{AppID: key.App, Day: im.DayOf(created), Registered: 1}); err != nil {
		return 0, fmt.Errorf("count the account: %w", err)
	}
	return tinyID, nil
}

// Import makes accounts, and sets the given fields of the profiles of those and
// of others that exist, in one transaction, with an audit row for each account
// that it changes. It gives those who were kept out, in their order.
func (s *Store) Import(ctx context.Context, i im.Import) (keptOut []im.UserID, err error) {
	err = s.write(ctx, func(ctx context.Context, q *sqlc.Queries) error {
		keptOut = nil
		for _, row := range i.Accounts {
			kept, err := importAccount(ctx, q, i, row)
			if err != nil {
				return fmt.Errorf("account %s: %w", row.User, err)
			}
			if kept {
				keptOut = append(keptOut, row.User)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("import into application %d: %w", i.App, err)
	}
	return keptOut, nil
}

func importAccount(ctx context.Context, q *sqlc.Queries, i im.Import, row im.ImportRow) (keptOut bool, err error) {
	key := im.UserKey{App: i.App, User: row.User}
	account, err := q.Account(ctx, sqlc.AccountParams{AppID: i.App, UserID: row.User})
	if err != nil {
		return false, err
	}
	var said []string
	if account.TinyID == 0 {
		if i.KeepOut != 0 {
			deleted, err := q.Deleted(ctx, sqlc.DeletedParams{AppID: i.App, UserID: row.User})
			if err != nil || deleted >= i.KeepOut {
				return err == nil, err
			}
		}
		if _, err := createAccount(ctx, q, key, i.At); err != nil {
			return false, err
		}
		said = append(said, "made")
	}
	for _, tag := range slices.Sorted(maps.Keys(row.Values)) {
		n, err := q.ImportValue(ctx, sqlc.ImportValueParams{
			AppID: i.App, UserID: row.User, Tag: tag, Value: base64.StdEncoding.EncodeToString([]byte(row.Values[tag])),
		})
		if err != nil {
			return false, err
		}
		if n > 0 {
			said = append(said, tag+" set")
		}
	}
	if len(said) == 0 {
		return false, nil
	}
	return false, createAudit(ctx, q, im.AuditRow{
		At: i.At, Actor: i.Actor, App: i.App, User: row.User, Action: "user.import", Detail: strings.Join(said, ", "),
	})
}
