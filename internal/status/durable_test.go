package status

import (
	"errors"
	"testing"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// TestSE8_LogoutThatIsNotWrittenYetStandsWhoeverReadsTheUser logs out while the
// disk is full, so that the account leaves memory before its end is written.
func TestSE8_LogoutThatIsNotWrittenYetStandsWhoeverReadsTheUser(t *testing.T) {
	world(t, func(t *testing.T, f *fakeStore, e *Engine) {
		bob, _ := login(t, e, "bob", 1, im.Web)
		f.setFailing(true)
		if err := e.End(t.Context(), bob.Session, im.CauseLogout); !errors.Is(err, errDisk) {
			t.Fatalf("got %v, want the disk's error", err)
		}
		time.Sleep(time.Minute)
		var ended *Ended
		if _, err := e.Return(t.Context(), bob.Session, &fakeOut{}, nil); !errors.As(err, &ended) || ended.Cause != im.CauseLogout {
			t.Errorf("the return is answered %v, want that the session was logged out", err)
		}
		f.setFailing(false)
		time.Sleep(5 * time.Second)
		if len(e.durable.marks)+len(e.durable.customs)+len(e.durable.closed) > 0 {
			t.Errorf("still waits once it is written: %v %v %v", e.durable.marks, e.durable.customs, e.durable.closed)
		}
	})
}
