package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// minPostgres is the oldest release that works, as server_version_num has it.
const minPostgres = 140_000

// postgresReaders is how many connections read at most; each is opened when it
// is needed.
const postgresReaders = 16

// How long a server may take. Waiting for a lock must end before the answer is
// given up, so that it is the server that says what is the matter.
const (
	lockWait   = 3 * time.Second // for a lock that somebody else holds
	answerWait = 5 * time.Second // for an answer; a server that is slower counts as lost
)

// lockClass sets the lock of an installation apart from other users' advisory
// locks. The rest of the lock's number is its schema's.
const lockClass = 0x706f7263 << 32

// sessionSettings are what every session has, unless the address says otherwise.
// The server ends sessions of a client that has vanished: one of them holds the
// lock of the installation.
var sessionSettings = map[string]string{
	"application_name":                    "porchlight",
	"client_encoding":                     "UTF8",
	"lock_timeout":                        fmt.Sprint(lockWait.Milliseconds()),
	"idle_in_transaction_session_timeout": "60000",
	"tcp_keepalives_idle":                 "10",
	"tcp_keepalives_interval":             "5",
	"tcp_keepalives_count":                "3",
}

// onPostgres writes in serializable transactions: what an op has read is true
// when it is committed, whoever else writes. Those that clash are tried again.
var onPostgres = &engine{
	dialect: goose.DialectPostgres,
	options: &sql.TxOptions{Isolation: sql.LevelSerializable},
	judge:   judgePostgres,
	commit:  judgePostgresCommit,
	retries: 5,
}

// postgres is a PostgreSQL server and how to reach it.
type postgres struct {
	config *pgx.ConnConfig
	answer atomic.Int64 // how long it may take to answer, in nanoseconds; 0 for any time
}

// openPostgres opens the writing connection, which holds the installation's lock
// from then on, and migrates under that lock.
func (s *Store) openPostgres(ctx context.Context, dsn string) error {
	p, err := parsePostgres(dsn)
	if err != nil {
		return err
	}
	s.server = p
	s.writing = p.handle(1, p.own)
	if err := s.writing.migrate(ctx); err != nil {
		return err
	}
	p.answer.Store(int64(answerWait)) // an index of a large table takes longer
	if err := s.writing.prepare(ctx); err != nil {
		return err
	}
	s.reading = p.handle(postgresReaders, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := checkSession(ctx, conn)
		return err
	})
	return s.reading.prepare(ctx)
}

// CheckDSN says what is wrong with an address, "" being none and right. It names
// no secret.
func CheckDSN(dsn string) error {
	if dsn == "" {
		return nil
	}
	_, err := parsePostgres(dsn)
	return err
}

// parsePostgres reads the address. It reports no error with a password in it.
func parsePostgres(dsn string) (*postgres, error) {
	u, err := url.Parse(dsn)
	if err != nil || !isPostgres(u) {
		return nil, errors.New("want postgres://user@host/database, with what is special in the password escaped by %")
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New(scrub(u, err.Error()))
	}
	p := &postgres{config: config}
	for name, value := range sessionSettings {
		if _, set := config.RuntimeParams[name]; !set {
			config.RuntimeParams[name] = value
		}
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = answerWait
	}
	dialer := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3}}
	config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &boundedConn{conn, p}, nil
	}
	return p, nil
}

func isPostgres(u *url.URL) bool { return u.Scheme == "postgres" || u.Scheme == "postgresql" }

// scrub takes what is secret in the address out of a text.
func scrub(u *url.URL, text string) string {
	password, _ := u.User.Password()
	secrets := append(u.Query()["password"], password, u.Query().Get("sslpassword"))
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "***")
			text = strings.ReplaceAll(text, url.QueryEscape(secret), "***")
			text = strings.ReplaceAll(text, url.PathEscape(secret), "***")
		}
	}
	return text
}

// plainAddress gives an address without its secrets, for messages.
func plainAddress(dsn string) string {
	u, err := url.Parse(dsn)
	if err != nil || !isPostgres(u) { // who knows what stands where in it
		return "store.dsn"
	}
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if name := u.User.Username(); name != "" {
		shown.User = url.User(name)
	}
	return shown.String()
}

// handle gives a pool of so many connections, each greeted when it is made.
func (p *postgres) handle(conns int, greet func(context.Context, *pgx.Conn) error) *handle {
	db := stdlib.OpenDB(*p.config, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		err := greet(ctx, conn)
		if err != nil {
			_ = conn.Close(ctx) // the driver forgets it; why it is no good is what counts
		}
		return err
	}))
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return &handle{db: db, engine: onPostgres, conns: conns}
}

// own takes the lock that keeps other servers off the installation. It is the
// session's: nothing is written by a connection that does not hold it, and it is
// free when that connection has ended, however it did.
func (p *postgres) own(ctx context.Context, conn *pgx.Conn) error {
	schema, err := checkSession(ctx, conn)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "SELECT pg_advisory_lock($1)", lockClass|schema)
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == lockNotAvailable {
		return errors.New("it is in use by another porchlight: stop that one, or give this one a database of its own")
	}
	if err != nil {
		return fmt.Errorf("lock the installation: %w", err)
	}
	return nil
}

// settings are what a server says of itself to a new session.
type settings struct {
	number                                int // server_version_num
	version, synchronous, fsync, encoding string
	standby                               bool
	schema                                int64 // the number of the schema in use, 0 for none
}

// checkSession gives the number of the schema in use, or says why the store must
// not use the server.
func checkSession(ctx context.Context, conn *pgx.Conn) (schema int64, err error) {
	const ask = `SELECT current_setting('server_version_num')::int, current_setting('server_version'),
	set_config('synchronous_commit', current_setting('synchronous_commit'), false), -- a reload cannot change it any more
	current_setting('fsync'), current_setting('server_encoding'), pg_is_in_recovery(),
	coalesce((SELECT n.oid::bigint FROM pg_namespace n WHERE n.nspname = current_schema()), 0)`
	var s settings
	err = conn.QueryRow(ctx, ask).Scan(&s.number, &s.version, &s.synchronous, &s.fsync, &s.encoding, &s.standby, &s.schema)
	if err != nil {
		return 0, fmt.Errorf("ask for the settings: %w", err)
	}
	return s.schema, s.check()
}

// check refuses a server on which what is acknowledged could be lost, or that
// the store's SQL does not suit, and says what to do.
func (s settings) check() error {
	switch {
	case s.number < minPostgres:
		return fmt.Errorf("PostgreSQL %s is too old: upgrade it to 14 or newer", s.version)
	case s.synchronous == "off":
		return errors.New("synchronous_commit is off, which loses what was acknowledged: " +
			"set it on for this role (ALTER ROLE ... SET synchronous_commit = on) and take it out of store.dsn")
	case s.fsync != "on":
		return errors.New("fsync is off, which loses what was acknowledged: set fsync = on in postgresql.conf and reload PostgreSQL")
	case s.encoding != "UTF8":
		return fmt.Errorf("the database's encoding is %s: create it with ENCODING 'UTF8' TEMPLATE template0", s.encoding)
	case s.standby:
		return errors.New("this is a standby, which takes no writes: " +
			"name the primary in store.dsn, or all of them with target_session_attrs=read-write")
	case s.schema == 0:
		return errors.New("there is no schema that search_path names: create it (CREATE SCHEMA ... AUTHORIZATION ...)")
	}
	return nil
}

// Codes of PostgreSQL.
const (
	lockNotAvailable     = "55P03"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
)

// judgePostgres says what has become of a transaction one of whose statements
// failed. Whatever it was, nothing of it is in the database.
func judgePostgres(err error) fate {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		var lost net.Error
		if errors.As(err, &lost) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) ||
			errors.Is(err, driver.ErrBadConn) || errors.Is(err, pgconn.ErrConnClosed) || pgconn.SafeToRetry(err) {
			return gone
		}
		return faulty
	}
	switch {
	case pg.SeverityUnlocalized != "ERROR", strings.HasPrefix(pg.Code, "08"):
		return gone
	case pg.Code == lockNotAvailable:
		return locked
	case pg.Code == serializationFailure, pg.Code == deadlockDetected:
		return clashed
	}
	return faulty
}

// judgePostgresCommit says what has become of a transaction whose commit failed.
// Only the server can say that it is undone: a connection that broke may have
// carried the commit there, and not its answer back. The driver's SafeToRetry
// must not be asked: of a commit that was sent, and whose answer was lost, it says
// that it was not.
func judgePostgresCommit(err error) fate {
	var pg *pgconn.PgError
	switch {
	case errors.Is(err, pgx.ErrTxCommitRollback):
		return undone
	case errors.As(err, &pg) && pg.SeverityUnlocalized == "ERROR":
		return commitRefused(pg.Code)
	}
	return unknown
}

func commitRefused(code string) fate {
	switch {
	case code == serializationFailure, code == deadlockDetected:
		return clashed
	case code == "40003", strings.HasPrefix(code, "08"): // "completion unknown", connection exceptions
		return unknown
	}
	return undone
}

// boundedConn is a connection to a server that has so much time for an answer. A
// server that was stopped, or a network that was cut, would keep its reader for
// ever otherwise.
type boundedConn struct {
	net.Conn
	server *postgres
}

// Read reads, and gives an error of a timeout when nothing has come in time. A
// cancelled context of the driver's own can be late by that time, and no more.
func (c *boundedConn) Read(p []byte) (int, error) {
	if wait := c.server.answer.Load(); wait > 0 {
		if err := c.SetReadDeadline(time.Now().Add(time.Duration(wait))); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(p)
}
