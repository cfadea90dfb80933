package friend_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/porchlight-im/porchlight/internal/friend"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
)

// crowd gives a world on a file, with the usual gathering of commits, in which
// twice so many users are.
func crowd(b *testing.B, half int) (w *world, pair func(i int) (im.UserID, im.UserID)) {
	b.Helper()
	w = openWorld(b, store.Config{Path: filepath.Join(b.TempDir(), "porchlight.db")})
	users := make([]im.UserID, 2*half)
	for i := range users {
		users[i] = im.UserID(fmt.Sprint("u", i))
	}
	w.register(users...)
	return w, func(i int) (im.UserID, im.UserID) { return users[i%half], users[half+(i+i/half)%half] }
}

// Two of 4,000 users become friends, both sides, through the rules, from many
// connections at once; each waits for the commit.
func BenchmarkAdd(b *testing.B) {
	w, pair := crowd(b, 2000)
	var n atomic.Int64
	b.SetParallelism(512)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			u, v := pair(int(n.Add(1)))
			results, err := w.Add(b.Context(), as(u), limits(), friend.BothWays, adding(v))
			if err != nil || results[0].Refusal != nil {
				b.Error(results, err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

// The same by one caller who waits for each.
func BenchmarkAddAlone(b *testing.B) {
	w, pair := crowd(b, 1000)
	took := make([]time.Duration, 0, b.N)
	i := 0
	for b.Loop() {
		u, v := pair(i)
		i++
		began := time.Now()
		if _, err := w.Add(b.Context(), as(u), limits(), friend.BothWays, adding(v)); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// A page of 100 of 3,000 friends.
func BenchmarkFriends(b *testing.B) {
	w := openWorld(b, store.Config{Path: filepath.Join(b.TempDir(), "porchlight.db")}, "alice")
	err := w.store.Relate(b.Context(), im.RelationQuery{User: key("alice")}, func(im.Relations) (ch im.RelationChange) {
		for i := range 3000 {
			e := im.FriendEntry{User: im.UserID(fmt.Sprint("u", i)), Source: "Web", Remark: "a friend"}
			ch.Add = append(ch.Add, im.OwnedFriend{Owner: "alice", FriendEntry: e})
		}
		return ch
	})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := w.Friends(b.Context(), key("alice"), limits(), 1500); err != nil {
			b.Fatal(err)
		}
	}
}
