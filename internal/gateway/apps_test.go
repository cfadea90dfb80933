package gateway

import (
	"fmt"
	"testing"

	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/status"
)

// ear is an outbox that remembers what its owner was told last of others.
type ear struct{ last string }

func (e *ear) Others(n *im.Notice) { e.last = n.Status.Custom }
func (*ear) Own(*im.Notice)        {}
func (*ear) Forget([]im.UserID)    {}
func (*ear) Told() int64           { return 0 }
func (*ear) End(im.Cause)          {}

// TestST10_LastOfManySwitchesCounts turns a switch to and fro, quicker than
// everybody can be told what it means for them.
func TestST10_LastOfManySwitchesCounts(t *testing.T) {
	g := newTestGateway(t, Limits{})
	alice, bob := im.UserKey{App: 1, User: "alice"}, im.UserKey{App: 1, User: "bob"}
	heard := &ear{}
	for user, out := range map[im.UserKey]*ear{alice: heard, bob: {}} {
		if _, err := g.cfg.Status.Login(t.Context(), status.Login{User: user, Platform: im.Web, KeyID: 1, Expires: 1 << 40, Out: out}, 1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := g.cfg.Status.Subscribe(t.Context(), alice, []im.UserID{"bob"}, 200); err != nil {
		t.Fatal(err)
	}
	on := &app.App{ID: 1, Enabled: true, Settings: app.DefaultSettings()}
	off := &app.App{ID: 1, Enabled: true, Settings: app.DefaultSettings()}
	on.Settings.StatusOn, on.Settings.StatusEdition, off.Settings.StatusOn = true, true, false
	was := on
	for i := range 200 {
		order := []*app.App{off, on, off}
		if i%2 == 1 {
			order = []*app.App{on, off, on}
		}
		for _, now := range order {
			g.AppChanged(was, now)
			was = now
		}
		g.tasks.Wait()
		text := fmt.Sprint("change ", i)
		if err := g.cfg.Status.SetCustom(t.Context(), bob, text); err != nil {
			t.Fatal(err)
		}
		if told := heard.last == text; told != (was == on) {
			t.Errorf("%s, the last switch on %t: told %t", text, was == on, told)
		}
	}
}
