package store_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
)

// rawDB is a connection of the test's own to the file, with no settings.
func rawDB(t *testing.T, path string) *sql.DB {
	t.Helper()
	return place{driver: "sqlite", source: path}.raw(t)
}

func execSQL(t *testing.T, db *sql.DB, query string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func TestSQLiteOpenMakesPrivateFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	path := filepath.Join(dir, "data", "porchlight.db")
	s := open(t, path)
	_, err := s.ServerSecret(t.Context())
	must(t, err)
	for _, file := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(file)
		must(t, err)
		equal(t, info.Mode().Perm(), os.FileMode(0o600))
	}
	for _, dir := range []string{dir, filepath.Dir(path)} {
		info, err := os.Stat(dir)
		must(t, err)
		equal(t, info.Mode().Perm(), os.FileMode(0o700))
	}
}

func TestSQLiteOpenTightensAnOpenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "porchlight.db")
	must(t, os.WriteFile(path, nil, 0o600))
	must(t, os.Chmod(path, 0o644))
	open(t, path)
	info, err := os.Stat(path)
	must(t, err)
	equal(t, info.Mode().Perm(), os.FileMode(0o600))
}

func TestSQLiteOpenTakesAnyPath(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, path := range []string{"plain.db", "with space/100%25?mode=ro#x&_pragma=synchronous(0).db", ":memory:"} {
		s := open(t, path)
		openSession(t, s, login(alice, 1, im.Web, 1000))
		info, err := os.Stat(path)
		must(t, err)
		if info.Size() == 0 {
			t.Errorf("%q is empty: the data went elsewhere", path)
		}
	}
}

func testRefusesANewerSchema(t *testing.T, p place) {
	must(t, p.open(t).Close())
	db := p.raw(t)
	execSQL(t, db, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)")
	_, err := store.Open(t.Context(), p.config)
	if err == nil || !strings.Contains(err.Error(), "schema 9999") {
		t.Errorf("Open gives %v, want it to refuse schema 9999", err)
	}
	execSQL(t, db, "DELETE FROM goose_db_version WHERE version_id = 9999")
	p.open(t)
}

// undoLater gives what undoes all schemas after the first.
func undoLater(t *testing.T) (undo []string) {
	t.Helper()
	files, err := filepath.Glob("schema/*.sql")
	must(t, err)
	made := regexp.MustCompile(`(?i)CREATE TABLE (\w+)|ALTER TABLE (\w+) ADD COLUMN (\w+)`)
	for _, name := range slices.Backward(files) {
		text, err := os.ReadFile(name)
		must(t, err)
		if strings.HasPrefix(filepath.Base(name), "0001_") {
			continue
		}
		for _, m := range made.FindAllStringSubmatch(string(text), -1) {
			if m[1] != "" {
				undo = append(undo, "DROP TABLE "+m[1])
			} else {
				undo = append(undo, "ALTER TABLE "+m[2]+" DROP COLUMN "+m[3])
			}
		}
	}
	return undo
}

// testMigratesAnOlderSchema gives a release that knows the audit a database of
// one that did not.
func testMigratesAnOlderSchema(t *testing.T, p place) {
	s := p.open(t)
	openSession(t, s, login(alice, 1, im.Web, 1000))
	must(t, s.CreateApp(t.Context(), im.AppRow{ID: testApp, Name: "old"}))
	want := user(t, s, alice)
	must(t, s.Close())
	db := p.raw(t)
	for _, undo := range undoLater(t) {
		execSQL(t, db, undo)
	}
	execSQL(t, db, "DELETE FROM goose_db_version WHERE version_id > 1")
	s = p.open(t)
	equal(t, user(t, s, alice), want)
	must(t, s.SaveApp(t.Context(), im.AppRow{ID: testApp, Name: "new"}, im.AuditRow{Action: "app.change"}))
	equal(t, audit(t, s), []im.AuditRow{{App: testApp, Action: "app.change"}})
}

func TestSQLiteOpenRefusesWhatIsNoDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "porchlight.db")
	text := []byte(strings.Repeat("this is a letter to my aunt. ", 1000))
	must(t, os.WriteFile(path, text, 0o600))
	if _, err := store.Open(t.Context(), store.Config{Path: path}); err == nil {
		t.Error("Open takes a letter for a database")
	}
	got, err := os.ReadFile(path)
	must(t, err)
	equal(t, string(got), string(text))
	if _, err := store.Open(t.Context(), store.Config{Path: t.TempDir()}); err == nil {
		t.Error("Open takes a directory for a database")
	}
}

func TestSQLiteSettingsAreReadBack(t *testing.T) {
	db := rawDB(t, filepath.Join(t.TempDir(), "x.db"))
	for _, step := range []struct{ pragma, missing string }{
		{"PRAGMA user_version = 1", "busy_timeout"},
		{"PRAGMA busy_timeout = 5000", "journal_mode"},
		{"PRAGMA journal_mode = WAL", "foreign_keys"}, // synchronous is FULL by default
		{"PRAGMA synchronous = NORMAL", "synchronous"},
		{"PRAGMA synchronous = FULL", "foreign_keys"},
		{"PRAGMA foreign_keys = ON", "journal_size_limit"},
		{"PRAGMA journal_size_limit = 67108864", "cache_size"},
	} {
		execSQL(t, db, step.pragma)
		err := store.CheckSettingsForTest(t.Context(), db)
		if err == nil || !strings.Contains(err.Error(), step.missing) {
			t.Errorf("after %s: %v, want a word about %s", step.pragma, err, step.missing)
		}
	}
	execSQL(t, db, "PRAGMA cache_size = -2048")
	must(t, store.CheckSettingsForTest(t.Context(), db))
}

// A transaction that writes takes the lock when it begins: one that took it
// later could fail half-way.
func TestSQLiteTransactionsBeginImmediate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "porchlight.db")
	s := open(t, path)
	tx, err := s.WritingForTest().BeginTx(t.Context(), nil)
	must(t, err)
	if _, err := rawDB(t, path).ExecContext(t.Context(), "BEGIN IMMEDIATE"); err == nil {
		t.Error("another connection began to write beside the transaction")
	}
	must(t, tx.Rollback())
}

func testReopenKeepsEverything(t *testing.T, p place) {
	s := p.open(t)
	secret, err := s.ServerSecret(t.Context())
	must(t, err)
	epoch, err := s.NextEpoch(t.Context(), time.Unix(1000, 0))
	must(t, err)
	app := im.AppRow{ID: testApp, Name: "x", Keys: []im.AppKey{{ID: 1, Secret: "s"}}}
	must(t, s.CreateApp(t.Context(), app))
	openSession(t, s, login(alice, 1, im.Web, 1000))
	must(t, s.SaveWatching(t.Context(), alice, []im.UserID{"bob"}, nil))
	must(t, s.SaveLive(t.Context(), nil, []im.CustomRow{{User: alice, Text: "here", Rev: 1}}))
	must(t, s.Revoke(t.Context(), im.Order{User: bob, Before: 100, Audit: im.AuditRow{Action: "user.kick"}}))
	must(t, s.Revoke(t.Context(), im.Order{User: alice, Ban: im.BanSet, Audit: im.AuditRow{Action: "user.ban"}}))
	app.Enabled = true
	must(t, s.SaveApp(t.Context(), app, im.AuditRow{Action: "app.change"}))
	wantUser, wantLive, wantAudit := user(t, s, alice), live(t, s, 0), audit(t, s)
	must(t, s.Close())

	s = p.open(t)
	gotSecret, err := s.ServerSecret(t.Context())
	must(t, err)
	equal(t, gotSecret, secret)
	next, err := s.NextEpoch(t.Context(), time.Unix(0, 0))
	must(t, err)
	equal(t, next, epoch+1)
	apps, err := s.Apps(t.Context())
	must(t, err)
	equal(t, apps, []im.AppRow{app})
	equal(t, user(t, s, alice), wantUser)
	equal(t, live(t, s, 0), wantLive)
	equal(t, user(t, s, bob).RevokedBefore, 100)
	equal(t, audit(t, s), wantAudit)
	must(t, s.SaveApp(t.Context(), app, im.AuditRow{Action: "app.change"}))
	equal(t, len(audit(t, s)), 4) // in an order that goes on
	other := im.UserKey{App: testApp, User: "other"}
	if openSession(t, s, login(other, 1, im.Web, 1000)) == wantUser.TinyID {
		t.Error("a TinyID was given twice")
	}
}

func TestSQLiteCloseLeavesNoWAL(t *testing.T) {
	path := filepath.Join(t.TempDir(), "porchlight.db")
	s := open(t, path)
	openSession(t, s, login(alice, 1, im.Web, 1000))
	_, err := os.Stat(path + "-wal")
	must(t, err)
	must(t, s.Close())
	if _, err := os.Stat(path + "-wal"); err == nil {
		t.Error("Close leaves a WAL")
	}
}

func TestSQLiteMemoryInABubble(t *testing.T) { testBubble(t, place{}) }

// A store opened in a bubble works and ends there: synctest fails the test for a
// goroutine that stays.
func testBubble(t *testing.T, p place) {
	inBubble(t, p, func(t *testing.T, s *store.Store) {
		start := time.Now()
		openSession(t, s, login(alice, 1, im.Web, 1000))
		equal(t, time.Since(start), time.Millisecond)
		equal(t, user(t, s, alice).Found, true)
		equal(t, len(live(t, s, 0)), 1)
	})
}
