package store_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
)

const testApp im.AppID = 1400000001

var (
	alice = im.UserKey{App: testApp, User: "alice"}
	bob   = im.UserKey{App: testApp, User: "bob"}
)

// open opens a store that closes with the test. Commits wait for nobody, so
// that a test's lone ops are quick.
func open(t testing.TB, path string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{Path: path, Gather: time.Nanosecond})
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

func TestSQLiteFile(t *testing.T) {
	testContract(t, func(t *testing.T) *store.Store { return open(t, filepath.Join(t.TempDir(), "porchlight.db")) })
}

func TestSQLiteMemory(t *testing.T) {
	testContract(t, func(t *testing.T) *store.Store { return open(t, "") })
}

// testContract is what every database behind the store must do. Each part gets
// an empty store.
func testContract(t *testing.T, open func(*testing.T) *store.Store) {
	for _, part := range []struct {
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
		{"NothingWithoutAccount", testNothingWithoutAccount},
		{"Live", testLive},
		{"LivePages", testLivePages},
		{"Watching", testWatching},
		{"Revoke", testRevoke},
		{"RevokeWithAllThatFollows", testRevokeWithAllThatFollows},
		{"BanNeedsAnAccount", testBanNeedsAnAccount},
		{"Audit", testAudit},
		{"AuditTakesAnyText", testAuditTakesAnyText},
		{"AuditConcurrently", testAuditConcurrently},
		{"AllOrNothing", testAllOrNothing},
		{"Purge", testPurge},
		{"PurgeChunks", testPurgeChunks},
		{"AnyBytes", testAnyBytes},
		{"AppsAreApart", testAppsAreApart},
		{"CancelledContext", testCancelledContext},
		{"Model", testModel},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(t, open(t)) })
	}
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
