package store_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
)

// crashEnv makes this test binary a child that writes until it is killed: it has
// the cycle, and the path or address of the database.
const crashEnv = "PORCHLIGHT_STORE_CRASH"

func TestMain(m *testing.M) {
	if at := os.Getenv(crashEnv); at != "" {
		if err := crashChild(at); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

const crashWriters = 16

// crashChild runs writers that print each op as soon as it is acknowledged: "f"
// a friendship, "a" a change of the writer's application, "o" a login, "c" its logout, "k" a ban,
// and the name of the round.
func crashChild(where string) error {
	var cycle int
	var at string
	if _, err := fmt.Sscanf(where, "%d:%s", &cycle, &at); err != nil {
		return err
	}
	cfg := store.Config{Path: at, Gather: time.Millisecond}
	if strings.HasPrefix(at, "postgres:") {
		cfg.Path, cfg.DSN = "", at
	}
	ctx := context.Background()
	s, err := store.Open(ctx, cfg)
	if err != nil {
		return err
	}
	fail := make(chan error)
	for w := range crashWriters {
		go func() {
			for i := 0; ; i++ {
				if err := crashOps(ctx, s, crashRound{cycle, w, i}); err != nil {
					fail <- err
					return
				}
			}
		}()
	}
	return <-fail
}

// crashRound names what one writer does in one round: a change of its
// application, then a user's coming and going.
type crashRound struct{ cycle, writer, n int }

func (r crashRound) user() im.UserID {
	return im.UserID(fmt.Sprintf("%d.%d.%d", r.cycle, r.writer, r.n))
}

// app gives the writer's application as this round leaves it.
func (r crashRound) app() im.AppRow {
	name := string(r.user())
	return im.AppRow{
		ID: im.AppID(1 + r.cycle*crashWriters + r.writer), Name: name, Keys: []im.AppKey{{ID: uint32(r.n + 1), Secret: name}},
		Admins: []im.UserID{r.user()}, Settings: map[string]string{name: name},
	}
}

// crashOps writes what must be there together or not at all.
func crashOps(ctx context.Context, s *store.Store, r crashRound) error {
	if err := crashBefriend(ctx, s, r); err != nil {
		return err
	}
	row := r.app()
	fmt.Printf("f %s\n", row.Name)
	if err := s.SaveApp(ctx, row, im.AuditRow{Action: "app.change", Detail: row.Name}); err != nil {
		return err
	}
	fmt.Printf("a %s\n", row.Name)
	o := login(im.UserKey{App: testApp, User: r.user()}, 1, im.Web, 1000)
	if _, err := s.OpenSession(ctx, o, 1); err != nil {
		return err
	}
	fmt.Printf("o %s\n", row.Name)
	o.Session.Closed, o.Session.Cause = 2000, im.CauseLogout
	o.Mark.State, o.Mark.At, o.Mark.Rev = im.MarkOut, 2000, 2_000_000
	ended, marks := []im.SessionRow{o.Session}, []im.Mark{o.Mark}
	kind, err := "c", error(nil)
	if r.n%2 == 0 {
		err = s.CloseSessions(ctx, o.User, ended, marks)
	} else {
		kind, ended[0].Cause = "k", im.CauseKickAdmin
		order := im.Order{User: o.User, Before: 7, Ban: im.BanSet, Ended: ended, Marks: marks, Audit: im.AuditRow{Action: "user.ban"}}
		err = s.Revoke(ctx, order)
	}
	if err == nil {
		fmt.Printf("%s %s\n", kind, row.Name)
	}
	return err
}

// A server killed at any moment has lost nothing that it acknowledged, and what
// it was writing is there whole or not at all.
func TestSE21_SQLiteKillLosesNothingAcknowledged(t *testing.T) { killLosesNothing(t, sqlitePlace(t)) }

func TestSE21_PostgresKillLosesNothingAcknowledged(t *testing.T) {
	killLosesNothing(t, postgresPlace(t))
}

func killLosesNothing(t *testing.T, p place) {
	t.Parallel()
	acked := make(map[im.UserID]string)
	for cycle := range 4 {
		lines := 20 + rand.IntN(500)
		for _, line := range runAndKill(t, fmt.Sprintf("%d:%s", cycle, p.source), lines) {
			kind, id, _ := strings.Cut(line, " ")
			acked[im.UserID(id)] += kind
		}
		checkCrashed(t, p, cycle, acked)
	}
	s := p.open(t)
	told := crashTold(t, s)
	for id, want := range acked { // later cycles have lost nothing of earlier ones
		if state := crashState(t, s, id, told); !strings.HasPrefix(state, want) {
			t.Errorf("%s was acknowledged %q and is %q", id, want, state)
		}
	}
}

// runAndKill kills a child after it has printed that many lines, and gives all
// whole ones that it managed to print.
func runAndKill(t *testing.T, where string, lines int) []string {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), crashEnv+"="+where)
	var stderr strings.Builder
	child.Stderr = &stderr
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	var got []string
	for r := bufio.NewReader(out); ; {
		line, err := r.ReadString('\n')
		if err == io.EOF {
			break
		}
		must(t, err)
		if got = append(got, strings.TrimSuffix(line, "\n")); len(got) == lines {
			must(t, child.Process.Kill())
		}
	}
	if err := child.Wait(); err == nil || len(got) < lines {
		t.Fatalf("the child ended by itself: %v %s", err, &stderr)
	}
	return got
}

// checkCrashed looks at all that the cycle can have written.
func checkCrashed(t *testing.T, p place, cycle int, acked map[im.UserID]string) {
	t.Helper()
	s, err := store.Open(t.Context(), p.config)
	must(t, err)
	defer func() { must(t, s.Close()) }()
	if p.config.DSN == "" {
		var verdict string
		must(t, s.WritingForTest().QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict))
		equal(t, verdict, "ok")
	}
	told := crashTold(t, s)
	checkCrashedApps(t, s, told)
	checkCrashedHubs(t, s, cycle)
	var calls sync.WaitGroup
	for w := range crashWriters {
		calls.Go(func() {
			for i := 0; ; i++ {
				id := crashRound{cycle, w, i}.user()
				if state := crashState(t, s, id, told); !strings.HasPrefix(state, acked[id]) {
					t.Errorf("%s was acknowledged %q and is %q", id, acked[id], state)
				} else if state == "" {
					return
				}
			}
		})
	}
	calls.Wait()
}

// crashTold gives what the audit tells of: changes of applications by their
// names, and users that were banned.
func crashTold(t *testing.T, s *store.Store) map[string]bool {
	t.Helper()
	told := make(map[string]bool)
	for _, row := range audit(t, s) {
		told[row.Action+" "+row.Detail+string(row.User)] = true
	}
	return told
}

// checkCrashedApps: each application is as the last round that the audit tells
// of left it.
func checkCrashedApps(t *testing.T, s *store.Store, told map[string]bool) {
	t.Helper()
	last := make(map[im.AppID]crashRound)
	for text := range told {
		var r crashRound
		if _, err := fmt.Sscanf(text, "app.change %d.%d.%d", &r.cycle, &r.writer, &r.n); err != nil {
			continue
		}
		if id := r.app().ID; r.n >= last[id].n {
			last[id] = r
		}
	}
	apps, err := s.Apps(t.Context())
	must(t, err)
	equal(t, len(apps), len(last))
	for _, app := range apps {
		equal(t, app, last[app.ID].app())
	}
}

// crashState gives what is there of a round: "" or "f" for its friendship, then
// "" or "a" for its change of the application, then nothing, "o", "oc" or "ok" for its user.
func crashState(t *testing.T, s *store.Store, id im.UserID, told map[string]bool) string {
	u, err := s.User(t.Context(), im.UserKey{App: testApp, User: id})
	if err != nil {
		t.Error(err)
		return ""
	}
	changed := crashFriends(t, s, id)
	if told["app.change "+string(id)] {
		changed += "a"
	}
	session := login(im.UserKey{}, 1, im.Web, 1000).Session
	closed := im.UserRow{Found: true, TinyID: u.TinyID, LastPresence: 2000, Sessions: []im.SessionRow{session}}
	closed.Sessions[0].Closed, closed.Sessions[0].Cause = 2000, im.CauseLogout
	banned := closed
	banned.Sessions = []im.SessionRow{closed.Sessions[0]}
	banned.Sessions[0].Cause, banned.Banned, banned.RevokedBefore = im.CauseKickAdmin, true, 7
	opened := im.UserRow{Found: true, TinyID: u.TinyID, LastPresence: 1000, Live: true, Sessions: []im.SessionRow{session}}
	for kind, want := range map[string]im.UserRow{"": {}, "o": opened, "oc": closed, "ok": banned} {
		if cmp.Equal(u, want, cmpopts.EquateEmpty()) && told["user.ban "+string(id)] == (kind == "ok") {
			return changed + kind
		}
	}
	t.Errorf("%s is half there: %+v", id, u)
	return ""
}
