package status

import (
	"context"
	"time"
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
