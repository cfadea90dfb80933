// The contract is what every database behind the store must do; each test of it
// runs on SQLite's memory, on an SQLite file and on PostgreSQL.
//
// To add a capability's tests, write them beside it (profile_test.go for
// profile.go) and give each a row here:
//
//   - func testSaveProfile(t *testing.T, s *store.Store), a row of contract, has
//     an empty store, open on whichever database it is;
//   - func testProfileIsKept(t *testing.T, p place), a row of lasting, has an
//     empty database that outlives its stores: it opens and closes them itself,
//     in a bubble or not, and can look at the tables by p.raw.
//
// A test of one database alone is named after it (TestSQLite..., TestPostgres...).
// PostgreSQL's run where PORCHLIGHT_TEST_POSTGRES is set, as in make test and in
//
//	scripts/postgres.sh go test ./internal/store
package store_test

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

const testApp im.AppID = 1400000001

var (
	alice = im.UserKey{App: testApp, User: "alice"}
	bob   = im.UserKey{App: testApp, User: "bob"}
)

// contract holds the tests that need a store and nothing else.
var contract = []struct {
	name string
	test func(*testing.T, *store.Store)
}{
	{"ServerSecret", testServerSecret},
	{"NextEpoch", testNextEpoch},
	{"LastRev", testLastRev},
	{"Apps", testApps},
	{"SaveApp", testSaveApp},
	{"Accounts", testAccounts},
	{"OpenSession", testOpenSession},
	{"OpenSessionAgain", testOpenSessionAgain},
	{"OpenSessionFence", testOpenSessionFence},
	{"OpenSessionBanned", testOpenSessionBanned},
	{"OpenSessionConcurrently", testOpenSessionConcurrently},
	{"CloseSessions", testCloseSessions},
	{"MarksAreGuardedByRev", testMarksAreGuardedByRev},
	{"CustomsAreGuardedByRev", testCustomsAreGuardedByRev},
	{"ClearCustoms", testClearCustoms},
	{"NothingWithoutAccount", testNothingWithoutAccount},
	{"Live", testLive},
	{"LivePages", testLivePages},
	{"Watching", testWatching},
	{"Revoke", testRevoke},
	{"RevokeWithAllThatFollows", testRevokeWithAllThatFollows},
	{"BanNeedsAnAccount", testBanNeedsAnAccount},
	{"Import", testImport},
	{"ImportKeepsOut", testImportKeepsOut},
	{"DeleteAccount", testDeleteAccount},
	{"Days", testDays},
	{"Audit", testAudit},
	{"AuditTakesAnyText", testAuditTakesAnyText},
	{"AuditConcurrently", testAuditConcurrently},
	{"AllOrNothing", testAllOrNothing},
	{"Webhooks", testWebhooks},
	{"Events", testEvents},
	{"EventsAreKeptWithTheirChange", testEventsAreKeptWithTheirChange},
	{"Cursors", testCursors},
	{"PurgeEvents", testPurgeEvents},
	{"Purge", testPurge},
	{"PurgeChunks", testPurgeChunks},
	{"AnyBytes", testAnyBytes},
	{"AppsAreApart", testAppsAreApart},
	{"CancelledContext", testCancelledContext},
	{"Model", testModel},
	{"Relate", testRelate},
	{"RelateAgain", testRelateAgain},
	{"RelateConcurrently", testRelateConcurrently},
	{"RelationModel", testRelationModel},
	{"RelationLists", testLists},
	{"ApplicationsMakeRoom", testApplicationsMakeRoom},
	{"Profiles", testProfiles},
}

// lasting holds the tests that need a database which outlives its stores.
var lasting = []struct {
	name string
	test func(*testing.T, place)
}{
	{"RefusesANewerSchema", testRefusesANewerSchema},
	{"MigratesAnOlderSchema", testMigratesAnOlderSchema},
	{"ReopenKeepsEverything", testReopenKeepsEverything},
	{"Bubble", testBubble},
	{"CommitsAreGathered", testCommitsAreGathered},
	{"GatheringEnds", testGatheringEnds},
	{"BadOpFailsAlone", testBadOpFailsAlone},
	{"RefusalLeavesTheBatchWhole", testRefusalLeavesTheBatchWhole},
	{"OpGivenUpNeverRuns", testOpGivenUpNeverRuns},
	{"CloseFinishesTheQueue", testCloseFinishesTheQueue},
	{"CloseAmongCallers", testCloseAmongCallers},
}

func TestSQLiteMemory(t *testing.T) {
	for _, part := range contract {
		t.Run(part.name, func(t *testing.T) { part.test(t, open(t, "")) })
	}
}

func TestSQLiteFile(t *testing.T) { testPlaces(t, sqlitePlace) }

func TestPostgres(t *testing.T) { testPlaces(t, postgresPlace) }

// testPlaces holds a database to the whole contract. Each part gets an empty one.
func testPlaces(t *testing.T, empty func(testing.TB) place) {
	for _, part := range contract {
		t.Run(part.name, func(t *testing.T) {
			p := empty(t)
			t.Parallel()
			part.test(t, p.open(t))
		})
	}
	for _, part := range lasting {
		t.Run(part.name, func(t *testing.T) {
			p := empty(t)
			t.Parallel()
			part.test(t, p)
		})
	}
}

// place is a database that outlives its stores.
type place struct {
	driver string
	source string       // of raw
	config store.Config // commits wait for nobody, so that a test's lone ops are quick
}

// sqlitePlace gives a file that is not there yet.
func sqlitePlace(t testing.TB) place {
	path := filepath.Join(t.TempDir(), "porchlight.db")
	return place{"sqlite", path, store.Config{Path: path, Gather: time.Nanosecond}}
}

// postgresPlace gives an empty schema, or skips the test.
func postgresPlace(t testing.TB) place { return postgresPlaceAt(testkit.Postgres(t)) }

func postgresPlaceAt(dsn string) place {
	return place{"pgx", dsn, store.Config{DSN: dsn, Gather: time.Nanosecond}}
}

// open opens a store that closes with the test.
func (p place) open(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), p.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// raw is a connection of the test's own, with no settings.
func (p place) raw(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open(p.driver, p.source)
	must(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// open opens an SQLite file, or memory, that closes with the test.
func open(t testing.TB, path string) *store.Store {
	t.Helper()
	return place{config: store.Config{Path: path, Gather: time.Nanosecond}}.open(t)
}

// equal compares results in which an empty list may be nil.
func equal[T any](t *testing.T, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// login is the opening of a session at that time, Unix milliseconds, from which
// its Rev comes.
func login(key im.UserKey, inst im.InstID, platform im.Platform, at int64) im.Opening {
	return im.Opening{
		User:    key,
		Session: im.SessionRow{Inst: inst, Platform: platform, KeyID: 1, Opened: at, Expires: at + 1e6},
		Mark:    im.Mark{User: key, Platform: platform, State: im.MarkLive, At: at, Rev: at * 1000},
	}
}

func openSession(t testing.TB, s *store.Store, o im.Opening) int64 {
	t.Helper()
	tinyID, err := s.OpenSession(t.Context(), o, 1)
	must(t, err)
	return tinyID
}

func user(t testing.TB, s *store.Store, key im.UserKey) im.UserRow {
	t.Helper()
	u, err := s.User(t.Context(), key)
	must(t, err)
	return u
}

// live gives what Live streams, by user, and checks that no user comes twice.
func live(t testing.TB, s *store.Store, lostSince int64) map[im.UserKey]im.LiveRow {
	t.Helper()
	rows := make(map[im.UserKey]im.LiveRow)
	must(t, s.Live(t.Context(), lostSince, func(r im.LiveRow) error {
		if _, again := rows[r.User]; again {
			t.Errorf("%v comes twice", r.User)
		}
		rows[r.User] = r
		return nil
	}))
	return rows
}
