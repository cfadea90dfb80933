package webhook

import (
	"math/rand/v2"
	"time"
)

// How a URL that fails is left alone.
const (
	breakAfter = 5 // failures in a row
	retryBase  = time.Second
	retryCap   = 5 * time.Minute
)

// breaker leaves a URL alone after failures in a row: then one request at a time
// tries it, each after a longer pause. It is not safe for concurrent use.
type breaker struct {
	failures int       // in a row
	until    time.Time // nothing is sent before, where failures say so
	trying   bool      // the one request is on its way
	limit    time.Duration
}

// open reports whether the URL is left alone but for one request at a time.
func (b *breaker) open() bool { return b.failures >= breakAfter }

// allow reports whether a request may be sent now, which it then must be.
func (b *breaker) allow(now time.Time) bool {
	switch {
	case !b.open():
		return true
	case b.trying || now.Before(b.until):
		return false
	}
	b.trying = true
	return true
}

// succeed says that a request succeeded, and reports whether that ended a pause.
func (b *breaker) succeed() (over bool) {
	over = b.open()
	b.trying, b.failures = false, 0
	return over
}

// fail says that a request failed which began at a time. One that was on its way
// already when the pause began says nothing new.
func (b *breaker) fail(now, began time.Time) {
	if b.open() && began.Before(b.until) {
		return
	}
	b.trying = false
	b.failures++
	if b.open() {
		b.until = now.Add(jitter(b.failures-breakAfter, b.limit))
	}
}

// jitter gives a random pause after so many failures: anything up to a bound
// that doubles with each, and never over a limit.
func jitter(failures int, limit time.Duration) time.Duration {
	bound := limit
	if failures < 20 {
		bound = min(limit, retryBase<<failures)
	}
	return rand.N(bound) + time.Millisecond //nolint:gosec // spreads load, hides nothing
}
