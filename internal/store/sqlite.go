package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// sqliteReaders is how many connections read a file; each keeps a page cache.
const sqliteReaders = 4

// minSQLite is the first release without the known faults of the WAL.
const minSQLite = 3_051_003

// sqlite begins with BEGIN IMMEDIATE, which its connections are told, and rolls
// back whatever fails.
var sqlite = &engine{
	dialect: goose.DialectSQLite3,
	judge:   func(error) fate { return faulty },
	commit:  func(error) fate { return undone },
}

func (s *Store) openSQLite(ctx context.Context, path string) (err error) {
	if path != "" {
		if path, err = filepath.Abs(path); err != nil { // connections are made later too, wherever the process is then
			return err
		}
		if err := makeFile(path); err != nil {
			return err
		}
	}
	if s.writing, err = openSQLiteHandle(ctx, path, writePragmas(path), 1); err != nil {
		return err
	}
	if err := s.writing.migrate(ctx); err != nil {
		return err
	}
	if err := s.writing.prepare(ctx); err != nil {
		return err
	}
	if path == "" {
		s.reading = s.writing
		return nil
	}
	if s.reading, err = openSQLiteHandle(ctx, path, readPragmas(path), sqliteReaders); err != nil {
		return err
	}
	return s.reading.prepare(ctx)
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

func openSQLiteHandle(ctx context.Context, path string, pragmas []pragma, conns int) (*handle, error) {
	db, err := sql.Open("sqlite", sqliteDSN(path, pragmas))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	if err := checkSettings(ctx, db, pragmas); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &handle{db: db, engine: sqlite, conns: conns}, nil
}

// sqliteDSN gives the pragmas to the driver, which sets them on each connection.
func sqliteDSN(path string, pragmas []pragma) string {
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
