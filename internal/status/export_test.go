package status

import (
	"context"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// FireForTest has the timers act that are due.
func (e *Engine) FireForTest() time.Duration { return e.fire() }

// WokenForTest reports whether something is left with the durable writer since it was
// asked last.
func (e *Engine) WokenForTest() bool {
	select {
	case <-e.durable.wake:
		return true
	default:
		return false
	}
}

// SaveForTest has written what nobody waits for, and reports whether it could be.
func (e *Engine) SaveForTest(ctx context.Context) bool { return e.saveDurable(ctx) }

// ClearsForTest reports whether the durable writer will want a user's turn.
func (e *Engine) ClearsForTest(key im.UserKey) bool { return e.durable.clears(key) }
