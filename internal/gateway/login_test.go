package gateway

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/usersig"
	"github.com/porchlight-im/porchlight/internal/wire"
)

// loginHead gives the head of a first login.
func loginHead(t *testing.T, user im.UserID) map[string]any {
	t.Helper()
	sig, err := usersig.Mint(1, user, testKey, time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{"platform": 7, "identifier": user, "usersig": sig, "sdkappid": 1, "servcmd": wire.CmdLogin, "seq": 1}
}

// TestWI11_SE7_PushedOutAsItsLoginIsAnswered has two logins push each other out
// at once, many times over. Whichever comes first is answered, then told, and
// serves nothing from then on: there is no moment between its opening and its
// answer at which it can be pushed out unnoticed.
func TestWI11_SE7_PushedOutAsItsLoginIsAnswered(t *testing.T) {
	g := newTestGateway(t, Limits{})
	for i := range 200 {
		head := loginHead(t, im.UserID(fmt.Sprint("user", i)))
		var conns [2]*conn
		var got [2]<-chan string
		var wg sync.WaitGroup
		for j := range conns {
			c, peer := tcpConn(t, g)
			conns[j], got[j] = c, frames(peer)
			wg.Go(func() {
				if err := c.feed(message(t, head, struct{}{})); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		over := 0
		for j, c := range conns {
			if f := <-got[j]; !strings.Contains(f, `"A2Key"`) {
				t.Fatalf("round %d: before the login's answer came %s", i, f)
			}
			s := c.session.Load()
			command := map[string]any{"servcmd": "x.unserved", "seq": 2, "sdkappid": 1, "a2": g.a2Key(s.Session)}
			if err := c.feed(message(t, command, struct{}{})); err != nil {
				t.Fatal(err)
			}
			f := <-got[j]
			if strings.Contains(f, wire.PushKick) {
				over++
				f = <-got[j]
			}
			if stands := strings.Contains(f, `"ErrorCode":60009`); stands == (s.cause() != im.CauseNone) {
				t.Fatalf("round %d: a session that has ended by %s is answered %s", i, s.cause(), f)
			}
			c.finish()
		}
		if over != 1 {
			t.Fatalf("round %d: %d of two were told that they were pushed out, want 1", i, over)
		}
	}
}
