package status

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/im"
)

// An account's commands take turns in the order in which they came; one that
// is given up leaves the others theirs.
func TestTurns(t *testing.T) {
	world(t, func(t *testing.T, _ *fakeStore, e *Engine) {
		first, err := e.acquire(t.Context(), key("alice"))
		if err != nil {
			t.Fatal(err)
		}
		var order []int
		impatient, giveUp := context.WithCancel(t.Context())
		for n := range 4 {
			ctx := t.Context()
			if n == 1 {
				ctx = impatient
			}
			go func() {
				a, err := e.acquire(ctx, key("alice"))
				if n == 1 {
					if !errors.Is(err, im.Err(im.CodeServerTimeout)) {
						t.Errorf("given up: %v", err)
					}
					return
				}
				order = append(order, n) // in the account's turn
				e.release(a)
			}()
			synctest.Wait()
		}
		giveUp()
		synctest.Wait()
		e.release(first)
		synctest.Wait()
		if !cmp.Equal(order, []int{0, 2, 3}) {
			t.Errorf("the turns went to %v", order)
		}
		if e.Stats().Accounts != 0 {
			t.Error("the account is still there")
		}
	})
}
