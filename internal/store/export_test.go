package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/porchlight-im/porchlight/internal/store/sqlc"
)

// WritingForTest gives the connection that the writer uses, to break it.
func (s *Store) WritingForTest() *sql.DB { return s.writing.db }

// CheckSettingsForTest reads back what Open sets on a writing file handle.
func CheckSettingsForTest(ctx context.Context, db *sql.DB) error {
	return checkSettings(ctx, db, writePragmas("file"))
}

// ReadingForTest gives the connections that read, to break them.
func (s *Store) ReadingForTest() *sql.DB { return s.reading.db }

// WriteForTest has the writer run an op of the test's own.
func (s *Store) WriteForTest(ctx context.Context, op func(context.Context, *sqlc.Queries) error) error {
	return s.write(ctx, op)
}

// AnswerWithinForTest sets how long PostgreSQL may take to answer.
func (s *Store) AnswerWithinForTest(wait time.Duration) { s.server.answer.Store(int64(wait)) }

// PostgresForTest is what a server says of itself to a new session.
type PostgresForTest struct {
	Number                                int
	Version, Synchronous, Fsync, Encoding string
	Standby                               bool
	Schema                                int64
}

// Check says why the store refuses the server, or nil.
func (p PostgresForTest) Check() error {
	return settings{p.Number, p.Version, p.Synchronous, p.Fsync, p.Encoding, p.Standby, p.Schema}.check()
}

// FatesForTest gives what has become of a transaction on PostgreSQL, of which a
// statement, or the commit, failed with that error.
func FatesForTest(err error) (statement, commit string) {
	names := map[fate]string{
		faulty: "faulty", undone: "undone", clashed: "clashed", locked: "locked", gone: "gone", unknown: "unknown",
	}
	return names[judgePostgres(err)], names[judgePostgresCommit(err)]
}

// MaxQueueForTest is how many ops may wait.
const MaxQueueForTest = maxQueue

// ReadForTest reads in a snapshot.
func (s *Store) ReadForTest(ctx context.Context, f func(context.Context, *sql.Tx) error) error {
	return s.read(ctx, func(ctx context.Context, r reader) error { return f(ctx, r.tx) })
}
