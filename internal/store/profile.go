package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store/sqlc"
)

// SaveProfile sets fields of a user's profile, by tag. It writes nothing and
// gives an [im.Error] with [im.CodeNoAccount] where there is no account.
func (s *Store) SaveProfile(ctx context.Context, key im.UserKey, values map[string]string, events ...im.EventRow) error {
	err := s.write(ctx, func(ctx context.Context, q *sqlc.Queries) error {
		account, err := q.Account(ctx, sqlc.AccountParams{AppID: key.App, UserID: key.User})
		if err != nil {
			return err
		}
		if account.TinyID == 0 {
			return refuse(im.Err(im.CodeNoAccount))
		}
		for tag, value := range values {
			p := sqlc.SaveProfileValueParams{Tag: tag, Value: encode(value), AppID: key.App, UserID: key.User}
			if err := q.SaveProfileValue(ctx, p); err != nil {
				return err
			}
		}
		return saveEvents(ctx, q, events)
	})
	if err != nil {
		return fmt.Errorf("save profile of %v: %w", key, err)
	}
	return nil
}

// Profiles gives what is set in the profiles of those of the users who have an
// account, by tag. The list may be long.
func (s *Store) Profiles(ctx context.Context, app im.AppID, users []im.UserID) (map[im.UserID]map[string]string, error) {
	found := make(map[im.UserID]map[string]string, len(users))
	err := s.read(ctx, func(ctx context.Context, r reader) error {
		const text = `SELECT a.user_id, COALESCE(p.tag, ''), COALESCE(p.value, '') FROM account a
			LEFT JOIN profile_value p ON p.app_id = a.app_id AND p.user_id = a.user_id
			WHERE a.app_id = $1 AND a.user_id IN (`
		return r.queryIn(ctx, text, app, users, func(rows *sql.Rows) error {
			var id im.UserID
			var tag, value string
			if err := rows.Scan(&id, &tag, &value); err != nil {
				return err
			}
			if found[id] == nil {
				found[id] = make(map[string]string)
			}
			if tag == "" {
				return nil
			}
			texts, err := decode(value)
			found[id][tag] = texts[0]
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("load profiles: %w", err)
	}
	return found, nil
}
