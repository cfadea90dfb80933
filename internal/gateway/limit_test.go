package gateway

import (
	"errors"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

func TestCountsAreOfOneWindowThatDoesNotSlide(t *testing.T) {
	var c counts
	l := limit{subject: subject{name: "x"}, most: 3, window: 10 * time.Second}
	const start = 1_795_400_000_000
	for _, step := range []struct {
		at   int64 // ms from the start
		want int
	}{{0, 1}, {9_000, 2}, {9_999, 3}, {10_000, 1}, {10_001, 2}, {19_999, 3}, {60_000, 1}} {
		if got := c.add(l, start+step.at); got != step.want {
			t.Errorf("after %d ms: %d, want %d", step.at, got, step.want)
		}
		if got := c.get(l, start+step.at); got != step.want {
			t.Errorf("after %d ms it is said to be %d, want %d", step.at, got, step.want)
		}
	}
	if got := c.get(l, start+70_000); got != 0 {
		t.Errorf("a window that is over counts %d", got)
	}
	// The clock is set back: a window from the future must not last until then.
	if got := c.get(l, start); got != 0 {
		t.Errorf("a window from the future counts %d", got)
	}
	if got := c.add(l, start); got != 1 {
		t.Errorf("the first after the clock was set back: %d", got)
	}
}

func TestCountsKeepSubjectsApart(t *testing.T) {
	var c counts
	one, two := netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.2")
	for _, s := range []subject{
		{"x", 1, "alice", one},
		{"y", 1, "alice", one},
		{"x", 2, "alice", one},
		{"x", 1, "Alice", one},
		{"x", 1, "alice", two},
		{"x", 1, "alice", netip.Addr{}},
		{"x", 1, "", one},
		{"xa", 1, "lice", one},
		{},
	} {
		if n := c.add(limit{subject: s, window: time.Minute}, 1); n != 1 {
			t.Errorf("%v is counted with another", s)
		}
	}
}

// TestCountsAreExactUnderConcurrency counts one subject from many goroutines.
func TestCountsAreExactUnderConcurrency(t *testing.T) {
	var c counts
	l := limit{subject: subject{name: "x"}, window: time.Minute}
	var wg sync.WaitGroup
	var within atomic.Int32
	for range 50 {
		wg.Go(func() {
			if c.add(l, 1) <= 20 {
				within.Add(1)
			}
		})
	}
	wg.Wait()
	if n := within.Load(); n != 20 {
		t.Errorf("%d of 50 were within 20", n)
	}
}

// TestCountsAreBounded counts more subjects than there is room for.
func TestCountsAreBounded(t *testing.T) {
	var c counts
	at := func(i int, window time.Duration) limit {
		return limit{subject: subject{user: im.UserID(strconv.Itoa(i))}, window: window}
	}
	for i := range maxCounts {
		c.add(at(i, time.Second), 0)
	}
	if c.evicted.Load() > maxCounts/10 {
		t.Errorf("%d counts were given up before there were too many", c.evicted.Load())
	}
	before := c.evicted.Load()
	for i := range maxCounts / 2 { // room is made of what is over
		c.add(at(maxCounts+i, time.Minute), 2000)
	}
	if n := c.evicted.Load() - before; n != 0 {
		t.Errorf("%d counts were given up while others were over", n)
	}
	for i := range maxCounts {
		if got := c.add(at(10*maxCounts+i, time.Minute), 3000); got != 1 {
			t.Fatalf("a new subject is counted as %d", got)
		}
	}
	if n := c.size(); n > maxCounts {
		t.Errorf("%d counts, want at most %d", n, maxCounts)
	}
	if c.evicted.Load() == before {
		t.Error("no count was given up")
	}
	c.forget(62_999)
	c.forget(63_000)
	if n := c.size(); n != 0 {
		t.Errorf("%d counts are left of windows that are over", n)
	}
	for i := range c.shards {
		if c.shards[i].counts != nil {
			t.Fatal("a shard that is empty keeps its map")
		}
	}
}

// TestSE12_FailuresAtOnceTellNoMore: verifications that were let through
// together are counted one by one before any is answered.
func TestSE12_FailuresAtOnceTellNoMore(t *testing.T) {
	c := &conn{g: newTestGateway(t, Limits{}), addr: netip.MustParseAddr("203.0.113.1")}
	told := 0
	for range 50 {
		if err := c.countFailure(im.UserKey{App: 1, User: "alice"}, im.Err(im.CodeSigMismatch)); errors.Is(err, im.Err(im.CodeSigMismatch)) {
			told++
		} else if !errors.Is(err, im.Err(im.CodeTooManyChecks)) {
			t.Fatal(err)
		}
	}
	if told != 20 {
		t.Errorf("%d of 50 failures were told, want 20", told)
	}
}
