package store_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
)

// crashEnv makes this test binary a child that writes until it is killed, to
// the database it names.
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

// crashChild runs writers that print each op as soon as it is acknowledged: "o"
// a login, "c" its logout, and the user. Where is the cycle and the path.
func crashChild(where string) error {
	var cycle int
	var path string
	if _, err := fmt.Sscanf(where, "%d:%s", &cycle, &path); err != nil {
		return err
	}
	ctx := context.Background()
	s, err := store.Open(ctx, store.Config{Path: path, Gather: time.Millisecond})
	if err != nil {
		return err
	}
	fail := make(chan error)
	for w := range crashWriters {
		go func() {
			for i := 0; ; i++ {
				if err := crashOps(ctx, s, im.UserID(fmt.Sprintf("%d.%d.%d", cycle, w, i))); err != nil {
					fail <- err
					return
				}
			}
		}()
	}
	return <-fail
}

// crashOps writes what must be there together or not at all.
func crashOps(ctx context.Context, s *store.Store, id im.UserID) error {
	o := login(im.UserKey{App: testApp, User: id}, 1, im.Web, 1000)
	if _, err := s.OpenSession(ctx, o, 1); err != nil {
		return err
	}
	fmt.Printf("o %s\n", id)
	o.Session.Closed, o.Session.Cause = 2000, im.CauseLogout
	o.Mark.State, o.Mark.At, o.Mark.Rev = im.MarkOut, 2000, 2_000_000
	if err := s.CloseSessions(ctx, o.User, []im.SessionRow{o.Session}, []im.Mark{o.Mark}); err != nil {
		return err
	}
	fmt.Printf("c %s\n", id)
	return nil
}

// A server killed at any moment has lost nothing that it acknowledged, and what
// it was writing is there whole or not at all.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "porchlight.db")
	acked := make(map[im.UserID]string)
	for cycle := range 4 {
		lines := 20 + rand.IntN(500)
		for _, line := range runAndKill(t, fmt.Sprintf("%d:%s", cycle, path), lines) {
			kind, id, _ := strings.Cut(line, " ")
			acked[im.UserID(id)] += kind
		}
		checkCrashed(t, path, cycle, acked)
	}
	s := open(t, path)
	for id, want := range acked { // later cycles have lost nothing of earlier ones
		if state := crashState(t, s, id); !strings.HasPrefix(state, want) {
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

// checkCrashed looks at every user that the cycle can have written.
func checkCrashed(t *testing.T, path string, cycle int, acked map[im.UserID]string) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{Path: path})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	var verdict string
	must(t, s.WritingForTest().QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict))
	equal(t, verdict, "ok")
	var calls sync.WaitGroup
	for w := range crashWriters {
		calls.Go(func() {
			for i := 0; ; i++ {
				id := im.UserID(fmt.Sprintf("%d.%d.%d", cycle, w, i))
				if state := crashState(t, s, id); !strings.HasPrefix(state, acked[id]) {
					t.Errorf("%s was acknowledged %q and is %q", id, acked[id], state)
				} else if state == "" {
					return
				}
			}
		})
	}
	calls.Wait()
}

// crashState gives what is there of a user's ops: "", "o" or "oc".
func crashState(t *testing.T, s *store.Store, id im.UserID) string {
	u, err := s.User(t.Context(), im.UserKey{App: testApp, User: id})
	if err != nil {
		t.Error(err)
		return ""
	}
	o := login(im.UserKey{}, 1, im.Web, 1000).Session
	switch {
	case !u.Found && len(u.Sessions) == 0:
		return ""
	case len(u.Sessions) == 1 && u.Sessions[0] == o && u.Live && u.LastPresence == 1000:
		return "o"
	case len(u.Sessions) == 1 && u.Sessions[0].Closed == 2000 && !u.Live && u.LastPresence == 2000:
		return "oc"
	}
	t.Errorf("%s is half there: %+v", id, u)
	return ""
}
