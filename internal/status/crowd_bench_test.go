package status

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// BenchmarkHotUser changes a user whom a hundred thousand watch. All of a change
// is done under the user's stripe, so its time is the time for which that is
// held; the longest of them is what the stripe's other users wait for at most.
func BenchmarkHotUser(b *testing.B) {
	for _, watchers := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(watchers), func(b *testing.B) {
			e, _ := crowd(b, watchers)
			took := make([]time.Duration, 0, 1<<16)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				start := time.Now()
				e.step(key("star"), event{kind: evCustom, custom: texts[i%2]})
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(ms(took[len(took)/2]), "p50-ms")
			b.ReportMetric(ms(took[len(took)*99/100]), "p99-ms")
			b.ReportMetric(ms(took[len(took)-1]), "longest-ms")
		})
	}
}

var texts = [2]string{"one", "two"}

func ms(d time.Duration) float64 { return d.Seconds() * 1000 }

// million is how many users the next benchmark has, each with so many
// subscriptions.
const (
	million       = 1_000_000
	subscriptions = 20
)

// emptyStore keeps nothing, so that what is measured is the engine's. Each user
// is subscribed to the 20 that follow, or to nobody.
type emptyStore struct {
	*fakeStore
	watching int
}

// User gives a user who has been here before.
func (s *emptyStore) User(_ context.Context, key im.UserKey) (im.UserRow, error) {
	row := im.UserRow{Found: true, TinyID: 1, Live: true}
	var n int
	if _, err := fmt.Sscanf(string(key.User), "user%d", &n); err != nil {
		return row, err
	}
	for i := range s.watching {
		row.Watching = append(row.Watching, userNo(n+i+1))
	}
	return row, nil
}

// OpenSession takes all.
func (s *emptyStore) OpenSession(context.Context, im.Opening, int64) (int64, error) { return 1, nil }

// SaveLive takes all.
func (s *emptyStore) SaveLive(context.Context, []im.Mark, []im.CustomRow) error { return nil }

func userNo(n int) im.UserID { return im.UserID(fmt.Sprintf("user%d", n%million)) }

// BenchmarkMillionUsers has a million users online in one process and changes
// one after the other: with 20 subscriptions each, so that each change is told
// to 20 connections, and with none. It gives the memory of a user and how many
// changes a second one core does. The connections are one that counts.
func BenchmarkMillionUsers(b *testing.B) {
	for _, watching := range []int{0, subscriptions} {
		b.Run(fmt.Sprintf("watched-by-%d", watching), func(b *testing.B) {
			before := heapInUse()
			st := &emptyStore{fakeStore: newFakeStore(), watching: watching}
			cfg := newEngine(st.fakeStore).cfg
			cfg.Store, cfg.Log = st, slog.New(slog.DiscardHandler)
			e := New(cfg)
			out := &countingOut{}
			start := time.Now()
			for i := range million {
				_, err := e.Login(b.Context(), Login{User: key(userNo(i)), Policy: multi, Expires: 1 << 40, Out: out}, 1)
				if err != nil {
					b.Fatal(err)
				}
			}
			logins := million / time.Since(start).Seconds()
			size := float64(heapInUse()-before) / million
			rng := rand.New(rand.NewPCG(1, 2))
			keys := make([]im.UserKey, 1<<16)
			for i := range keys {
				keys[i] = key(userNo(rng.IntN(million)))
			}
			told := out.n
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; b.Loop(); i++ {
				e.step(keys[i%len(keys)], event{kind: evCustom, custom: texts[i/len(keys)%2]})
			}
			b.ReportMetric(size, "B/user")
			b.ReportMetric(logins, "logins/s")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "changes/s")
			b.ReportMetric(float64(out.n-told)/float64(b.N), "told/change")
			runtime.KeepAlive(e)
		})
	}
}
