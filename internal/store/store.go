// Package store keeps what must outlive the process, in SQL: applications,
// accounts, revocations, sessions, marks, custom statuses, subscription lists,
// who ordered what, the server's secret and its counters.
//
// It promises that what it acknowledged has been committed with a real fsync,
// that a method which writes (save Purge) does all of it or nothing, and that a
// failure says nothing false: after a full disk or an I/O error it works again as soon as
// the disk does. One goroutine writes, gathering what arrives within a few
// milliseconds into one commit; reading goes beside it and sees committed
// states only.
//
// It never decides anything but the three things that only a transaction can:
// that a login loses against a revocation or a ban, that an identity is not used
// twice, and that a ban is of an account that exists. It never holds a
// transaction open while its caller's code runs.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/porchlight-im/porchlight/internal/store/sqlc"
)

//go:generate go tool -modfile=../../tools.mod sqlc generate

//go:embed schema/*.sql
var schema embed.FS

// The ways in which the store refuses.
var (
	ErrExists = errors.New("exists already")
	ErrClosed = errors.New("store is closed")
)

// readers is how many connections read a file; each keeps a page cache.
const readers = 4

// minSQLite is the first release without the known faults of the WAL.
const minSQLite = 3_051_003

// Config says where the data is kept. Its zero value keeps it in memory.
type Config struct {
	Path   string        // database file, made if missing; "" for memory of its own, gone with Close
	Gather time.Duration // how long a commit waits for company at most, 0 for 5 ms; it waits a fifth of it for the next
	Log    *slog.Logger  // told when writing begins to fail and when it works again; nil for nobody
}

// Store is an open database. Its methods may be called from any goroutine.
type Store struct {
	writing *handle // used by the writer's goroutine alone, save in memory
	reading *handle // the same handle in memory: there is one connection
	writer  *writer
}

// Open opens the database, makes it if it is missing, and brings its schema up
// to date. It refuses a schema newer than it knows and a SQLite that did not
// take the settings on which durability rests. The context is for opening only.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Gather == 0 {
		cfg.Gather = defaultGather
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{}
	if err := s.open(ctx, cfg.Path); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %q: %w", cfg.Path, err), s.closeHandles())
	}
	s.writer = startWriter(s.writing, cfg)
	return s, nil
}

func (s *Store) open(ctx context.Context, path string) (err error) {
	if path != "" {
		if path, err = filepath.Abs(path); err != nil { // connections are made later too, wherever the process is then
			return err
		}
		if err := makeFile(path); err != nil {
			return err
		}
	}
	if s.writing, err = openHandle(ctx, path, writePragmas(path), 1); err != nil {
		return err
	}
	if err := migrate(ctx, s.writing.db); err != nil {
		return err
	}
	if err := s.writing.prepare(ctx); err != nil {
		return err
	}
	if path == "" {
		s.reading = s.writing
		return nil
	}
	if s.reading, err = openHandle(ctx, path, readPragmas(path), readers); err != nil {
		return err
	}
	return s.reading.prepare(ctx)
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
// transaction may be rolled back and f run once more, so f sets its results
// anew each time. When ctx ends before f has begun, f never runs.
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
	conn, err := s.reading.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("wait for a connection: %w", err)
	}
	defer func() { _ = conn.Close() }() // only gives it back
	ctx = context.WithoutCancel(ctx)
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return fmt.Errorf("begin reading: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	return f(ctx, reader{s.reading.queries.WithTx(tx), tx})
}

// handle is a pool of connections that share their settings, with the queries
// prepared on it.
type handle struct {
	db      *sql.DB
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

// pragma is a setting of a connection, spelled as SQLite reads it back.
type pragma struct{ name, value string }

// durable is what every connection to that path must have.
func durable(path string) []pragma {
	mode := "wal"
	if path == "" {
		mode = "memory"
	}
	return []pragma{
		{"busy_timeout", "5000"},
		{"journal_mode", mode},
		{"synchronous", "2"}, // FULL: a commit is on the disk
		{"foreign_keys", "1"},
	}
}

func writePragmas(path string) []pragma {
	return append(durable(path),
		pragma{"journal_size_limit", "67108864"}, // what a burst leaves of the WAL
		pragma{"cache_size", "-2048"},            // KiB: a commit of hundreds of logins fits
	)
}

func readPragmas(path string) []pragma {
	return append(durable(path),
		pragma{"query_only", "1"},
		pragma{"cache_size", "-256"}, // KiB: the system caches the file for all of them
	)
}

func openHandle(ctx context.Context, path string, pragmas []pragma, conns int) (*handle, error) {
	db, err := sql.Open("sqlite", dsn(path, pragmas))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	if err := checkSettings(ctx, db, pragmas); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &handle{db: db}, nil
}

// dsn gives the pragmas to the driver, which sets them on each connection.
func dsn(path string, pragmas []pragma) string {
	set := url.Values{"_txlock": {"immediate"}}
	for _, p := range pragmas {
		set.Add("_pragma", p.name+"("+p.value+")")
	}
	if path == "" {
		return ":memory:?" + set.Encode()
	}
	u := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path), RawQuery: set.Encode()}
	return u.String()
}

// checkSettings reads back what durability rests on: a driver that ignores a
// setting says nothing.
func checkSettings(ctx context.Context, db *sql.DB, pragmas []pragma) error {
	var version string
	if err := db.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version); err != nil {
		return fmt.Errorf("ask for the version: %w", err)
	}
	var major, minor, patch int
	if _, err := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch); err != nil {
		return fmt.Errorf("read version %q: %w", version, err)
	}
	if major*1_000_000+minor*1_000+patch < minSQLite {
		return fmt.Errorf("SQLite %s can damage a WAL: 3.51.3 or later is needed", version)
	}
	for _, p := range pragmas {
		var got string
		if err := db.QueryRowContext(ctx, "PRAGMA "+p.name).Scan(&got); err != nil {
			return fmt.Errorf("read back %s: %w", p.name, err)
		}
		if !strings.EqualFold(got, p.value) {
			return fmt.Errorf("SQLite has set %s to %s instead of %s", p.name, got, p.value)
		}
	}
	return nil
}

// makeFile sees to it that nobody but the server's user can read the database:
// it holds secrets. SQLite gives the files beside it the same mode.
func makeFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the operator names the file
	if err == nil {
		return f.Close()
	}
	// An existing file must not be opened here: closing it again would drop the
	// locks that this process holds on it.
	if errors.Is(err, fs.ErrExist) {
		return os.Chmod(path, 0o600)
	}
	return err
}

// migrate brings the schema up to date.
func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(schema, "schema")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
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
