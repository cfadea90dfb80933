package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

// withFriends starts a server on which alice has so many friends and they her.
func withFriends(b *testing.B, count int) (*testkit.Server, []im.UserID) {
	b.Helper()
	s := testkit.StartTCP(b, "limits.command_rate=100000", "limits.command_burst=100000", "limits.user_logins=100000")
	friends := make([]im.UserID, count)
	for i := range friends {
		friends[i] = im.UserID(fmt.Sprint("friend", i))
	}
	s.RestartWith(func(ctx context.Context, st *store.Store) error {
		var all sync.WaitGroup
		for _, u := range append([]im.UserID{"alice"}, friends...) {
			all.Go(func() {
				o := im.Opening{User: im.UserKey{App: s.Dev.SDKAppID, User: u}, Session: im.SessionRow{Inst: 1, Opened: 1, Closed: 1}}
				if _, err := st.OpenSession(ctx, o, 1); err != nil {
					b.Error(err)
				}
			})
		}
		all.Wait()
		key := im.UserKey{App: s.Dev.SDKAppID, User: "alice"}
		return st.Relate(ctx, im.RelationQuery{User: key}, func(im.Relations) (ch im.RelationChange) {
			for _, u := range friends {
				ch.Add = append(ch.Add,
					im.OwnedFriend{Owner: "alice", FriendEntry: im.FriendEntry{User: u, Source: "Web", Remark: "a friend"}},
					im.OwnedFriend{Owner: u, FriendEntry: im.FriendEntry{User: "alice", Source: "Web"}})
			}
			return ch
		})
	})
	return s, friends
}

// A user with 3,000 friends logs in, with status notices of all of them: to the
// answer of the login, which is when the official client is ready, and to the
// last page of friends with their profiles.
func BenchmarkLoginWith3000Friends(b *testing.B) {
	s, _ := withFriends(b, 3000)
	var ready, whole []time.Duration
	for b.Loop() {
		c := s.Connect("alice")
		began := time.Now()
		if a := c.TryLogin(s.UserSig("alice")); a.Code != 0 {
			b.Fatal(a.Code, a.Info)
		}
		ready = append(ready, time.Since(began))
		for from := int64(0); ; {
			var page struct {
				CompleteFlag   int
				NextStartIndex int64
				UserDataItem   []struct {
					User string `json:"To_Account"`
				}
			}
			decodeInto(b, c.Must("sns.friend_get", map[string]any{"From_Account": "alice", "StartIndex": from}), &page)
			var items []map[string]any
			for _, f := range page.UserDataItem {
				items = append(items, map[string]any{"To_Account": f.User})
			}
			c.Must("profile.portrait_get_all", map[string]any{"UserItem": items})
			if from = page.NextStartIndex; page.CompleteFlag == 1 {
				break
			}
		}
		whole = append(whole, time.Since(began))
		c.Must("im_open_status.wslogout", struct{}{})
		c.Break()
	}
	b.ReportMetric(median(ready), "ready-ms")
	b.ReportMetric(median(whole), "whole-ms")
}

func decodeInto(b *testing.B, a testkit.Answer, v any) {
	b.Helper()
	if err := json.Unmarshal(a.Raw, v); err != nil {
		b.Fatal(err)
	}
}

func median(took []time.Duration) float64 {
	slices.Sort(took)
	return float64(took[len(took)/2].Microseconds()) / 1000
}

// One connection adds friends and deletes them, waiting for each answer.
func BenchmarkFriendOperationsOnOneConnection(b *testing.B) {
	s, friends := withFriends(b, 100)
	alice := s.Login("alice")
	go func() { // what she is told of it herself
		for {
			if _, ok := alice.Push(); !ok {
				return
			}
		}
	}()
	var took []time.Duration
	i := 0
	for b.Loop() {
		u := friends[(i/2)%len(friends)]
		began := time.Now()
		if i++; i%2 == 1 {
			alice.Must("sns.friend_delete", map[string]any{"To_Account": []im.UserID{u}, "DeleteType": "Delete_Type_Both"})
		} else {
			item := map[string]any{"To_Account": u, "AddSource": "AddSource_Type_Web"}
			alice.Must("sns.friend_add", map[string]any{"AddType": "Add_Type_Both", "AddFriendItem": []any{item}})
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(median(took), "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// A status changes, and 3,000 friends who are connected are told, each on a
// socket of its own.
func BenchmarkStatusTo3000Friends(b *testing.B) {
	s, friends := withFriends(b, 3000)
	var clients []*testkit.Client
	for some := range slices.Chunk(friends, 64) {
		var all sync.WaitGroup
		var mu sync.Mutex
		for _, u := range some {
			all.Go(func() {
				c := s.Login(u)
				mu.Lock()
				defer mu.Unlock()
				clients = append(clients, c)
			})
		}
		all.Wait()
	}
	alice := s.Login("alice")
	told := make(chan struct{}, len(clients))
	for _, c := range clients {
		go func() {
			for {
				f, ok := c.Push()
				if !ok {
					return
				}
				for _, st := range c.StatusesOf(f) {
					if st.User == "alice" && st.Custom != "" {
						told <- struct{}{}
					}
				}
			}
		}()
	}
	var took []time.Duration
	i := 0
	for b.Loop() {
		i++
		began := time.Now()
		alice.SetCustom(fmt.Sprint("n", i))
		for range clients {
			<-told
		}
		took = append(took, time.Since(began))
		time.Sleep(250 * time.Millisecond) // or the pace of a receiver would be measured
	}
	b.ReportMetric(median(took), "told-ms")
}
