package store

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store/sqlc"
)

// auditPage is the most rows that Audit gives at once.
const auditPage = 1000

// Audit gives rows of the audit, newest first: those of an application, 0 for
// all of them, whose ID is below before, 0 for the newest. It gives at most
// limit rows, and never more than 1,000.
func (s *Store) Audit(ctx context.Context, app im.AppID, before int64, limit int) ([]im.AuditRow, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	most := int32(min(max(limit, 0), auditPage))
	var rows []sqlc.AuditRow
	err := s.read(ctx, func(ctx context.Context, r reader) (err error) {
		rows, err = loadAudit(ctx, r.Queries, sqlc.AuditOfAppParams{AppID: app, ID: before, Limit: most})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load the audit: %w", err)
	}
	audit := make([]im.AuditRow, len(rows))
	for i, r := range rows {
		audit[i] = im.AuditRow{
			ID: r.ID, At: r.At, Actor: r.Actor, App: r.AppID, User: r.UserID, Action: r.Action, Detail: r.Detail,
		}
	}
	return audit, nil
}

func loadAudit(ctx context.Context, q *sqlc.Queries, p sqlc.AuditOfAppParams) ([]sqlc.AuditRow, error) {
	if p.AppID == 0 {
		return q.Audit(ctx, sqlc.AuditParams{ID: p.ID, Limit: p.Limit})
	}
	ofApp, err := q.AuditOfApp(ctx, p)
	rows := make([]sqlc.AuditRow, len(ofApp))
	for i, r := range ofApp {
		rows[i] = sqlc.AuditRow(r)
	}
	return rows, err
}

// createAudit keeps a row under the next number. Its texts may hold anything:
// what PostgreSQL refuses is left out or replaced.
func createAudit(ctx context.Context, q *sqlc.Queries, row im.AuditRow) error {
	id, err := q.CountUp(ctx, auditCounter)
	if err != nil {
		return fmt.Errorf("number the audit row: %w", err)
	}
	err = q.CreateAudit(ctx, sqlc.CreateAuditParams{
		ID: id, At: row.At, AppID: row.App, UserID: im.UserID(plain(string(row.User))),
		Actor: plain(row.Actor), Action: plain(row.Action), Detail: plain(row.Detail),
	})
	if err != nil {
		return fmt.Errorf("create the audit row: %w", err)
	}
	return nil
}

// plain gives a text that both databases take: without NUL, and with U+FFFD for
// what is not UTF-8.
func plain(text string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "\uFFFD")
}
