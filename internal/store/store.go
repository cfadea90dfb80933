// Package store keeps what must outlive the process, in SQL: applications,
// accounts, revocations, sessions, marks, custom statuses, subscription lists,
// profiles, friends and blocklists, who ordered what, the server's secret and its counters.
//
// It promises that what it acknowledged has been committed with a real fsync,
// that a method which writes (save Purge) does all of it or nothing, and that a
// failure says nothing false: after a full disk, an I/O error or the loss of the
// database server it works again as soon as they do. One goroutine writes, gathering what arrives within a few
// milliseconds into one commit; reading goes beside it and sees committed
// states only.
//
// It never decides anything but the three things that only a transaction can:
// that a login loses against a revocation or a ban, that an identity is not used
// twice, and that a ban is of an account that exists. It never holds a
// transaction open while its caller's code runs, save for one pure function: what
// friends may become of each other is decided by [Store.Relate]'s caller.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/porchlight-im/porchlight/internal/store/sqlc"
)

//go:generate go tool -modfile=../../tools.mod sqlc generate

//go:embed schema/*.sql
var schema embed.FS

// The ways in which the store refuses.
var (
	ErrExists = errors.New("exists already")
	ErrClosed = errors.New("store is closed")

	// ErrUnknown says that the database was lost while it committed: the change is
	// there as a whole or not at all, and nobody can say which.
	ErrUnknown = errors.New("the database was lost during the commit: the change may have been kept or not")
)

// Config says where the data is kept. Its zero value keeps it in memory.
type Config struct {
	DSN    string        // address of a PostgreSQL database, postgres://...; "" for SQLite
	Path   string        // SQLite's file, made if missing; "" for memory of its own, gone with Close
	Gather time.Duration // how long a commit waits for company at most, 0 for 5 ms; it waits a fifth of it for the next
	Log    *slog.Logger  // told when writing begins to fail and when it works again; nil for nobody
}

// Store is an open database. Its methods may be called from any goroutine.
type Store struct {
	writing *handle // used by the writer's goroutine alone, save in memory
	reading *handle // the same handle in memory: there is one connection
	writer  *writer
	server  *postgres // nil for SQLite
}

// Open opens the database, makes it if it is SQLite's and missing, and brings its
// schema up to date. It refuses a schema newer than it knows, a database without
// the settings on which durability rests, and a PostgreSQL database that another
// store has open. The context is for opening only.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Gather == 0 {
		cfg.Gather = defaultGather
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{}
	name, err := cfg.Path, error(nil)
	if cfg.DSN == "" {
		err = s.openSQLite(ctx, cfg.Path)
	} else {
		name, err = plainAddress(cfg.DSN), s.openPostgres(ctx, cfg.DSN)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open store %q: %w", name, err), s.closeHandles())
	}
	s.writer = startWriter(s.writing, cfg)
	return s, nil
}

// Close commits what has been asked of the store so far, then ends it. Later
// calls of the methods that write give [ErrClosed].
func (s *Store) Close() error {
	s.writer.close()
	if err := s.closeHandles(); err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}

// Ping reports whether the database can be read.
func (s *Store) Ping(ctx context.Context) error {
	err := s.read(ctx, func(ctx context.Context, r reader) error {
		_, err := r.tx.ExecContext(ctx, "SELECT app_id FROM app LIMIT 1")
		return err
	})
	if err != nil {
		return fmt.Errorf("ping store: %w", err)
	}
	return nil
}

// closeHandles closes the reading handle first, so that the writing one is the
// last and folds the WAL into the database.
func (s *Store) closeHandles() error {
	var errs []error
	if s.reading != s.writing {
		errs = append(errs, s.reading.close())
	}
	return errors.Join(append(errs, s.writing.close())...)
}

// write runs f in a transaction of the writer, on a context that does not end
// with the caller's, and returns when it has been committed or has failed. The
// transaction may be rolled back and f run again, so f sets its results anew
// each time. When ctx ends before f has begun, f never runs.
func (s *Store) write(ctx context.Context, f func(context.Context, *sqlc.Queries) error) error {
	return s.writer.do(ctx, f)
}

// reader is one snapshot of the database: what its queries read was true
// together.
type reader struct {
	*sqlc.Queries
	tx *sql.Tx
}

// read runs f on a snapshot. The context that f gets does not end: the driver
// watches one that can with a goroutine for each statement, which costs more
// than a short statement does. So f is short, and ctx counts until it begins.
func (s *Store) read(ctx context.Context, f func(context.Context, reader) error) error {
	conn, tx, err := s.reading.snapshot(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()  // only gives it back
	defer func() { _ = tx.Rollback() }() // nothing was written
	return f(context.WithoutCancel(ctx), reader{s.reading.queries.WithTx(tx), tx})
}

// readOne is read for a single statement, which needs no transaction to see one
// moment: on SQLite it has none.
func (s *Store) readOne(ctx context.Context, f func(context.Context, *sqlc.Queries) error) error {
	if s.server != nil {
		return s.read(ctx, func(ctx context.Context, r reader) error { return f(ctx, r.Queries) })
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return f(context.WithoutCancel(ctx), s.reading.queries)
}

// engine is all in which the databases differ, beside how they are opened.
type engine struct {
	dialect goose.Dialect
	options *sql.TxOptions   // of a transaction that writes
	judge   func(error) fate // what has become of the transaction of a statement that failed
	commit  func(error) fate // and of one whose commit failed
	retries int              // of a transaction that clashed or lost its connection
}

// fate is what has become of a transaction that gave an error. Of all but an
// unknown one nothing is in the database.
type fate uint8

const (
	faulty  fate = iota // a statement failed by its own fault
	undone              // the commit was refused
	clashed             // another transaction was in its way
	locked              // the database is kept from us: it would be for any other
	gone                // it cannot be reached
	unknown             // the connection was lost while it committed
)

// handle is a pool of connections that share their settings, with the queries
// prepared on it.
type handle struct {
	db      *sql.DB
	engine  *engine
	conns   int           // how many, at most
	queries *sqlc.Queries // nil until prepare
}

func (h *handle) prepare(ctx context.Context) (err error) {
	h.queries, err = sqlc.Prepare(ctx, h.db)
	return err
}

// close may be called for a nil or half-made handle.
func (h *handle) close() error {
	if h == nil {
		return nil
	}
	var err error
	if h.queries != nil {
		err = h.queries.Close()
	}
	return errors.Join(err, h.db.Close())
}

// snapshot begins to read. When the server was restarted, each connection that
// was idle meanwhile fails once, and goes.
func (h *handle) snapshot(ctx context.Context) (conn *sql.Conn, tx *sql.Tx, err error) {
	for range 1 + h.conns {
		if conn, err = h.db.Conn(ctx); err != nil {
			return nil, nil, fmt.Errorf("wait for a connection: %w", err)
		}
		options := sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
		if tx, err = conn.BeginTx(context.WithoutCancel(ctx), &options); err == nil {
			return conn, tx, nil
		}
		_ = conn.Close() // it is no good
		if h.engine.judge(err) != gone {
			break
		}
	}
	return nil, nil, fmt.Errorf("begin reading: %w", err)
}

// migrate brings the schema up to date. Where several servers can reach the
// database, the handle's connection holds the lock that keeps the others off.
func (h *handle) migrate(ctx context.Context) error {
	files, err := fs.Sub(schema, "schema")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(h.engine.dialect, h.db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	have, known, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if have > known {
		return fmt.Errorf("the database has schema %d, this release knows schemas up to %d: use a newer release", have, known)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}
