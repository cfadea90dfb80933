package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
	"github.com/porchlight-im/porchlight/internal/store/sqlc"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

// with gives an address with one more parameter.
func with(t *testing.T, dsn, name, value string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	must(t, err)
	query := u.Query()
	query.Set(name, value)
	u.RawQuery = query.Encode()
	return u.String()
}

// refuses demands that Open refuses an address with those words.
func refuses(t *testing.T, dsn string, words ...string) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{DSN: dsn})
	if err == nil {
		t.Fatalf("Open takes it, want words about %q: %v", words, s.Close())
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("Open gives %v, want a word about %s", err, word)
		}
	}
}

func TestPostgresOneServerAtATime(t *testing.T) {
	t.Parallel()
	dsn := with(t, testkit.Postgres(t), "lock_timeout", "100")
	p := postgresPlaceAt(dsn)
	s := p.open(t)
	refuses(t, dsn, "in use by another porchlight", "database of its own")
	postgresPlace(t).open(t) // another schema is another installation
	openSession(t, s, loginN(0))

	// A connection that was lost takes its lock along, and another server may have
	// it by the time of the next: from then on this one writes nothing.
	killBackend(t, s)
	thief := p.open(t)
	if _, err := s.OpenSession(t.Context(), loginN(1), 1); err == nil || !strings.Contains(err.Error(), "in use by another") {
		t.Errorf("beside another server a login gives %v", err)
	}
	equal(t, user(t, thief, loginN(1).User).Found, false)
	must(t, thief.Close())
	openSession(t, s, loginN(1))
}

// killBackend ends the session of a store's writing connection.
func killBackend(t *testing.T, s *store.Store) {
	t.Helper()
	var pid int
	must(t, s.WritingForTest().QueryRowContext(t.Context(), "SELECT pg_backend_pid()").Scan(&pid))
	_, err := postgresDB(t).ExecContext(t.Context(), "SELECT pg_terminate_backend($1, 10000)", pid) // and waits for its end
	must(t, err)
}

// postgresDB is a connection to the server of the tests.
func postgresDB(t *testing.T) *sql.DB {
	t.Helper()
	return place{driver: "pgx", source: os.Getenv("PORCHLIGHT_TEST_POSTGRES")}.raw(t)
}

func TestPostgresRefusesWhatWouldLoseOrSpoil(t *testing.T) {
	t.Parallel()
	dsn := testkit.Postgres(t)
	refuses(t, with(t, dsn, "synchronous_commit", "off"), "synchronous_commit is off", "ALTER ROLE")
	refuses(t, with(t, dsn, "search_path", "nowhere"), "no schema", "CREATE SCHEMA")
	for _, level := range []string{"local", "remote_write", "on"} {
		must(t, postgresPlaceAt(with(t, dsn, "synchronous_commit", level)).open(t).Close())
	}
	execSQL(t, postgresDB(t), "CREATE DATABASE porchlight_ascii ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
	defer execSQL(t, postgresDB(t), "DROP DATABASE porchlight_ascii WITH (FORCE)")
	refuses(t, strings.Replace(dsn, "/postgres?", "/porchlight_ascii?", 1), "SQL_ASCII", "ENCODING 'UTF8'")

	good := store.PostgresForTest{Number: 140_000, Version: "14.0", Synchronous: "on", Fsync: "on", Encoding: "UTF8", Schema: 1}
	must(t, good.Check())
	for word, spoil := range map[string]func(*store.PostgresForTest){
		"upgrade it to 14":           func(p *store.PostgresForTest) { p.Number = 139_999 },
		"synchronous_commit = on":    func(p *store.PostgresForTest) { p.Synchronous = "off" },
		"fsync = on":                 func(p *store.PostgresForTest) { p.Fsync = "off" },
		"ENCODING 'UTF8'":            func(p *store.PostgresForTest) { p.Encoding = "LATIN1" },
		"target_session_attrs=read-": func(p *store.PostgresForTest) { p.Standby = true },
		"CREATE SCHEMA":              func(p *store.PostgresForTest) { p.Schema = 0 },
	} {
		bad := good
		spoil(&bad)
		if err := bad.Check(); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%+v gives %v, want a word about %s", bad, err, word)
		}
	}
}

// What an operator sets while the store is open changes new sessions, and
// neither what this one has been asked for nor that the next one is refused.
func TestPostgresSettingIsPinned(t *testing.T) {
	t.Parallel()
	s := postgresPlace(t).open(t)
	var source string
	must(t, s.WritingForTest().QueryRowContext(t.Context(), "SELECT source FROM pg_settings WHERE name = 'synchronous_commit'").Scan(&source))
	equal(t, source, "session")
}

// No error has the password, whatever is wrong with the address.
func TestPostgresKeepsThePassword(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{
		"postgres://u:sec%20ret@127.0.0.1:1/d",
		"postgres://u:sec%ZZret@127.0.0.1:1/d",
		"postgres://u:sec%20ret@127.0.0.1:port/d",
		"postgres://u:sec%20ret@127.0.0.1:1/d?sslmode=bogus",
		"postgres://u@127.0.0.1:1/d?sslmode=bogus&password=sec+ret",
		"postgres://u:sec%20ret@127.0.0.1:1/d?connect_timeout=soon",
		"postgres://u:sec%20ret@127.0.0.1:1/d?sslmode=verify-full&sslrootcert=/nowhere",
		"postgres:// u:sec ret@h/d",
		"mysql://u:sec%20ret@h/d",
		"host=127.0.0.1 port=1 user=u password='sec ret'",
	} {
		var log bytes.Buffer
		_, err := store.Open(t.Context(), store.Config{DSN: dsn, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err == nil {
			t.Fatalf("%s was opened", dsn)
		}
		for _, text := range []string{err.Error(), fmt.Sprint(store.CheckDSN(dsn)), log.String()} {
			if strings.Contains(text, "sec") && strings.Contains(text, "ret") {
				t.Errorf("%s: the password is in %q", dsn, text)
			}
		}
	}
	must(t, store.CheckDSN(""))
	must(t, store.CheckDSN("postgres://porchlight@db.example.com/porchlight"))
}

func TestPostgresFates(t *testing.T) {
	t.Parallel()
	code := func(severity, code string) error {
		return fmt.Errorf("wrapped: %w", &pgconn.PgError{Severity: "FEHLER", SeverityUnlocalized: severity, Code: code})
	}
	for _, c := range []struct {
		err               error
		statement, commit string
	}{
		{code("ERROR", "23505"), "faulty", "undone"},
		{code("ERROR", "53100"), "faulty", "undone"}, // a full disk
		{code("ERROR", "40001"), "clashed", "clashed"},
		{code("ERROR", "40P01"), "clashed", "clashed"},
		{code("ERROR", "55P03"), "locked", "undone"},
		{code("ERROR", "40003"), "faulty", "unknown"},
		{code("ERROR", "08007"), "gone", "unknown"},
		{code("FATAL", "57P01"), "gone", "unknown"}, // it may have been ended after the commit
		{code("PANIC", "53100"), "gone", "unknown"},
		{pgx.ErrTxCommitRollback, "faulty", "undone"},
		{io.ErrUnexpectedEOF, "gone", "unknown"},
		{io.EOF, "gone", "unknown"},
		{&net.OpError{Op: "read", Err: errors.New("reset")}, "gone", "unknown"},
		{driver.ErrBadConn, "gone", "unknown"},
		{errors.New("anything else"), "faulty", "unknown"},
	} {
		statement, commit := store.FatesForTest(c.err)
		if statement != c.statement || commit != c.commit {
			t.Errorf("%v: %s and %s, want %s and %s", c.err, statement, commit, c.statement, c.commit)
		}
	}
}

// A transaction that another one got into the way of is tried again, with all
// its ops, and none of them is done twice.
func TestPostgresClashIsTriedAgain(t *testing.T) {
	t.Parallel()
	p := postgresPlace(t)
	s := p.open(t)
	openSession(t, s, loginN(0))
	other, before, runs := p.raw(t), s.Stats(), 0
	must(t, s.WriteForTest(t.Context(), func(ctx context.Context, q *sqlc.Queries) error {
		if _, err := q.Account(ctx, sqlc.AccountParams{AppID: testApp, UserID: "alice"}); err != nil {
			return err
		}
		if runs++; runs < 3 {
			execSQL(t, other, "UPDATE counter SET value = value + 10 WHERE name = 'account'")
		}
		_, err := q.CountUp(ctx, "account")
		return err
	}))
	after := s.Stats()
	equal(t, runs, 3)
	equal(t, after.Retried-before.Retried, 2)
	equal(t, after.Failed, 0)
	equal(t, after.Commits-before.Commits, 1)
	var count int64
	must(t, other.QueryRowContext(t.Context(), "SELECT value FROM counter WHERE name = 'account'").Scan(&count))
	equal(t, count, 22)
}

// What an op has decided on is true when it is committed, whoever else writes: a
// token that was revoked meanwhile opens no session.
func TestPostgresDecisionsHoldBesideOthers(t *testing.T) {
	t.Parallel()
	p := postgresPlace(t)
	s, other := p.open(t), p.raw(t)
	openSession(t, s, loginN(0))
	runs := 0
	err := s.WriteForTest(t.Context(), func(ctx context.Context, q *sqlc.Queries) error {
		account, err := q.Account(ctx, sqlc.AccountParams{AppID: testApp, UserID: "alice"})
		if err != nil || account.RevokedBefore > 0 {
			return errors.Join(err, im.Err(im.CodeSigExpired))
		}
		if runs++; runs == 1 {
			tx, err := other.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
			must(t, err)
			_, err = tx.ExecContext(ctx, "UPDATE session SET closed = 1 WHERE user_id = 'alice'")
			must(t, err)
			_, err = tx.ExecContext(ctx, "INSERT INTO revocation (app_id, user_id, revoked_before) VALUES ($1, 'alice', 9)", testApp)
			must(t, err)
			must(t, tx.Commit())
		}
		_, err = q.CreateSession(ctx, sqlc.CreateSessionParams{AppID: testApp, UserID: "alice", Inst: 1})
		return err
	})
	if !errors.Is(err, im.Err(im.CodeSigExpired)) {
		t.Errorf("a login beside a revocation gives %v, want it refused", err)
	}
	equal(t, runs, 1)
	equal(t, user(t, s, alice).Sessions, []im.SessionRow{})
}

func TestPostgresLockedFailsTheBatchAtOnce(t *testing.T) {
	t.Parallel()
	p := postgresPlaceAt(with(t, testkit.Postgres(t), "lock_timeout", "300"))
	p.config.Gather = 0
	s := p.open(t)
	openSession(t, s, login(alice, 1, im.Web, 1000))
	lock, before := p.raw(t), s.Stats()
	tx, err := lock.BeginTx(t.Context(), nil)
	must(t, err)
	_, err = tx.ExecContext(t.Context(), "LOCK TABLE session IN ACCESS EXCLUSIVE MODE")
	must(t, err)
	for _, err := range logins(t, s, 20) {
		if err == nil || !strings.Contains(err.Error(), "lock timeout") {
			t.Errorf("a login gives %v while a table is locked, want a word about the lock", err)
		}
	}
	must(t, tx.Rollback())
	must(t, errors.Join(logins(t, s, 20)...))
	after := s.Stats()
	equal(t, after.Failed-before.Failed, 20)
	equal(t, after.Ops-before.Ops, 20)
	equal(t, after.Unknown, 0)
}

// An op that has begun is answered with the truth, whatever became of its
// caller's context meanwhile.
func TestPostgresOpBegunIsAnsweredTruly(t *testing.T) {
	t.Parallel()
	p := postgresPlace(t)
	s := p.open(t)
	begun, proceed := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	var calls sync.WaitGroup
	calls.Go(func() {
		must(t, s.WriteForTest(ctx, func(ctx context.Context, q *sqlc.Queries) error {
			close(begun)
			<-proceed
			_, err := q.CountUp(ctx, "test")
			return err
		}))
	})
	<-begun
	cancel()
	close(proceed)
	calls.Wait()
	var count int
	must(t, p.raw(t).QueryRowContext(t.Context(), "SELECT value FROM counter WHERE name = 'test'").Scan(&count))
	equal(t, count, 1)
}

// A disk that is full fails the statements that need room, and no others, and
// writing works again as soon as there is room.
func TestPostgresDiskFullThenFreed(t *testing.T) {
	t.Parallel()
	p := postgresPlace(t)
	s, db := p.open(t), p.raw(t)
	openSession(t, s, login(alice, 1, im.Web, 1000))
	execSQL(t, db, `CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
		$$BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END$$`)
	execSQL(t, db, "CREATE TRIGGER full_disk BEFORE INSERT ON session EXECUTE FUNCTION full_disk()")
	for i, err := range logins(t, s, 5) {
		if err == nil {
			t.Error("a login passed on a full disk")
		}
		equal(t, user(t, s, loginN(i).User).Found, false)
	}
	equal(t, user(t, s, alice).Found, true)
	must(t, s.SaveWatching(t.Context(), alice, nil, []im.UserID{"bob"})) // which needs no room
	execSQL(t, db, "DROP TRIGGER full_disk ON session")
	must(t, errors.Join(logins(t, s, 5)...))
	equal(t, s.Stats().Unknown, 0)
}

func TestPostgresQueriesArePrepared(t *testing.T) {
	t.Parallel()
	s := postgresPlace(t).open(t)
	for i := range 3 {
		openSession(t, s, loginN(i))
	}
	var prepared, again int
	must(t, s.WritingForTest().QueryRowContext(t.Context(),
		"SELECT count(*), count(*) FILTER (WHERE generic_plans + custom_plans >= 3) FROM pg_prepared_statements").Scan(&prepared, &again))
	if prepared < 20 || again < 4 { // a login has more statements than that
		t.Errorf("%d statements are prepared and %d were used three times", prepared, again)
	}
}

func TestPostgresReadsOneMoment(t *testing.T) {
	t.Parallel()
	s := postgresPlace(t).open(t)
	var level, readOnly string
	must(t, s.ReadForTest(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')").Scan(&level, &readOnly)
		if err != nil {
			return err
		}
		var before, after int
		must(t, tx.QueryRowContext(ctx, "SELECT count(*) FROM account").Scan(&before))
		openSession(t, s, loginN(0))
		must(t, tx.QueryRowContext(ctx, "SELECT count(*) FROM account").Scan(&after))
		equal(t, after, before)
		return nil
	}))
	equal(t, level, "repeatable read")
	equal(t, readOnly, "on")
	var count int
	must(t, s.WritingForTest().QueryRowContext(t.Context(), "SELECT count(*) FROM account").Scan(&count))
	equal(t, count, 1)
	deadline, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	must(t, s.Ping(deadline))
}
