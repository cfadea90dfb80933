package store_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
)

// onBoth runs a benchmark on an SQLite file, and on PostgreSQL where there is one.
func onBoth(b *testing.B, bench func(*testing.B, *store.Store)) {
	b.Run("SQLite", func(b *testing.B) { bench(b, openBench(b, sqlitePlace(b))) })
	b.Run("Postgres", func(b *testing.B) { bench(b, openBench(b, postgresPlace(b))) })
}

// openBench opens a store with the usual settings.
func openBench(b *testing.B, p place) *store.Store {
	b.Helper()
	p.config.Gather = 0
	s, err := store.Open(b.Context(), p.config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
		b.ReportMetric(float64(s.Stats().Ops)/float64(s.Stats().Commits), "ops/commit")
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

// A login of a new user, from many connections at once.
func BenchmarkOpenSession(b *testing.B) { onBoth(b, benchOpenSession) }

func benchOpenSession(b *testing.B, s *store.Store) {
	var n atomic.Int64
	b.SetParallelism(256)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.OpenSession(b.Context(), loginN(int(n.Add(1))), 1); err != nil {
				b.Error(err)
			}
		}
	})
}

// A mark and a custom status of one of 10,000 users, from many connections.
func BenchmarkSaveLive(b *testing.B) { onBoth(b, benchSaveLive) }

func benchSaveLive(b *testing.B, s *store.Store) {
	const users = 10_000
	errs := make(chan error, users)
	for i := range users {
		go func() {
			_, err := s.OpenSession(b.Context(), loginN(i), 1)
			errs <- err
		}()
	}
	for range users {
		if err := <-errs; err != nil {
			b.Fatal(err)
		}
	}
	var n atomic.Int64
	b.SetParallelism(256)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			m := loginN(int(i % users)).Mark
			m.Rev += 1_000_000 + i
			c := im.CustomRow{User: m.User, Text: "in a meeting", Rev: m.Rev}
			if err := s.SaveLive(b.Context(), []im.Mark{m}, []im.CustomRow{c}); err != nil {
				b.Error(err)
			}
		}
	})
}

// A returning user's rows.
func BenchmarkUser(b *testing.B) { onBoth(b, benchUser) }

func benchUser(b *testing.B, s *store.Store) {
	o := loginN(0)
	_, err := s.OpenSession(b.Context(), o, 1)
	watching := make([]im.UserID, 20)
	for i := range watching {
		watching[i] = im.UserID(fmt.Sprint(i))
	}
	if err := errors.Join(err, s.SaveWatching(b.Context(), o.User, watching, nil)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.User(b.Context(), o.User); err != nil {
				b.Error(err)
			}
		}
	})
}

// Two users become friends, one of them of 2,000 in all, from many connections:
// both entries, the figures of both, and what decides about it.
func BenchmarkBefriend(b *testing.B) { onBoth(b, benchBefriend) }

func benchBefriend(b *testing.B, s *store.Store) {
	const users = 2000
	var n atomic.Int64
	b.SetParallelism(256)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			u, v := im.UserID(fmt.Sprint("u", i%users)), im.UserID(fmt.Sprint("v", i))
			q := im.RelationQuery{User: im.UserKey{App: testApp, User: u}, Others: []im.UserID{v}}
			err := s.Relate(b.Context(), q, func(im.Relations) im.RelationChange {
				return im.RelationChange{Add: []im.OwnedFriend{
					owned(u, im.FriendEntry{User: v, Source: "Web"}), owned(v, im.FriendEntry{User: u, Source: "Web"}),
				}}
			})
			if err != nil {
				b.Error(err)
			}
		}
	})
}
