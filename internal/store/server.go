package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store/sqlc"
)

// The rows of counter and secret.
const (
	epochCounter   = "epoch"
	accountCounter = "account"
	auditCounter   = "audit"
	serverSecret   = "server"
)

const secretBytes = 32

// purgeChunk bounds the rows that one commit of Purge deletes, so that a login
// never waits long behind it.
const purgeChunk = 1000

// ServerSecret gives the 32 random bytes with which this installation signs its
// sessions. They are made and committed at the first call and are the same ever
// after.
func (s *Store) ServerSecret(ctx context.Context) ([]byte, error) {
	fresh := make([]byte, secretBytes)
	_, _ = rand.Read(fresh) // it never fails
	var text string
	err := s.write(ctx, func(ctx context.Context, q *sqlc.Queries) (err error) {
		arg := sqlc.CreateSecretParams{Name: serverSecret, Value: base64.StdEncoding.EncodeToString(fresh)}
		if err := q.CreateSecret(ctx, arg); err != nil {
			return err
		}
		text, err = q.Secret(ctx, serverSecret)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load server secret: %w", err)
	}
	secret, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(secret) != secretBytes {
		return nil, errors.New("load server secret: the row is damaged") // never with its text
	}
	return secret, nil
}

// NextEpoch takes the next number of the live state's incarnations: one more
// than the last, or the clock's seconds if that is more, so that a restored
// database repeats none. It is committed before it is given.
func (s *Store) NextEpoch(ctx context.Context, now time.Time) (uint64, error) {
	floor := max(now.Unix(), 1)
	var epoch int64
	err := s.write(ctx, func(ctx context.Context, q *sqlc.Queries) (err error) {
		epoch, err = q.RaiseCounter(ctx, sqlc.RaiseCounterParams{Name: epochCounter, Floor: floor})
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("take an epoch: %w", err)
	}
	return uint64(epoch), nil
}

// Purge deletes the sessions closed before that time, Unix milliseconds, and
// the rows of custom statuses that have had no text since before it. It says
// how many rows went. It works in several transactions: after an error some may
// be gone.
func (s *Store) Purge(ctx context.Context, before int64) (int64, error) {
	var gone int64
	err := s.eachApp(ctx, func(app im.AppID) error {
		return errors.Join(
			s.purge(ctx, &gone, func(ctx context.Context, q *sqlc.Queries) (int64, error) {
				return q.PurgeSessions(ctx, sqlc.PurgeSessionsParams{AppID: app, Closed: before, Limit: purgeChunk})
			}),
			s.purge(ctx, &gone, func(ctx context.Context, q *sqlc.Queries) (int64, error) {
				return q.PurgeCustoms(ctx, sqlc.PurgeCustomsParams{AppID: app, At: before, Limit: purgeChunk})
			}),
		)
	})
	if err != nil {
		return gone, fmt.Errorf("purge: %w", err)
	}
	return gone, nil
}

// purge repeats step, each time in a transaction of its own, until it finds
// less than a chunk, and adds to gone what it deleted.
func (s *Store) purge(ctx context.Context, gone *int64, step func(context.Context, *sqlc.Queries) (int64, error)) error {
	for {
		var n int64
		err := s.write(ctx, func(ctx context.Context, q *sqlc.Queries) (err error) {
			n, err = step(ctx, q)
			return err
		})
		if err != nil {
			return err
		}
		*gone += n
		if n < purgeChunk {
			return nil
		}
	}
}

// eachApp calls f for each application that has accounts.
func (s *Store) eachApp(ctx context.Context, f func(im.AppID) error) error {
	for app := im.AppID(0); ; {
		var next im.AppID
		err := s.read(ctx, func(ctx context.Context, r reader) (err error) {
			next, err = r.NextApp(ctx, app)
			return err
		})
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("find the next application: %w", err)
		}
		if err := f(next); err != nil {
			return err
		}
		app = next
	}
}
