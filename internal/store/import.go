package store

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store/sqlc"
)

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
