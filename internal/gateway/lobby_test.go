package gateway

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/usersig"
)

// TestConnectionStaysInItsSizeClass: a connection is the larger part of what an
// idle session costs.
func TestConnectionStaysInItsSizeClass(t *testing.T) {
	if size := unsafe.Sizeof(conn{}); size > 512 {
		t.Errorf("a connection takes %d bytes, and so 576 of the allocator's", size)
	}
}

// TestSE14_LobbyAgainstAModel lets sockets of a few addresses come and go at
// random, and holds who has to make room against lists that are searched.
func TestSE14_LobbyAgainstAModel(t *testing.T) {
	g := newTestGateway(t, Limits{PreLoginAddress: 5, PreLoginSockets: 12})
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	var conns, model []*conn // of the model the oldest first
	for i := range 40 {
		c := &conn{g: g}
		if i%5 > 0 { // the others' address is unknown
			c.addr = netip.MustParseAddr(fmt.Sprintf("203.0.113.%d", i%5))
		}
		conns = append(conns, c)
	}
	for step := range 20_000 {
		c := conns[random.IntN(len(conns))]
		if random.IntN(3) == 0 {
			g.lobby.leave(c)
			model = slices.DeleteFunc(model, func(m *conn) bool { return m == c })
			continue
		}
		var want *conn
		if !slices.Contains(model, c) {
			model = append(model, c)
			if want = overfull(model, c.addr); want != nil {
				model = slices.DeleteFunc(model, func(m *conn) bool { return m == want })
			}
		}
		if got, _ := g.lobby.enter(c); got != want {
			t.Fatalf("seed %d, step %d: socket %d makes room, want %d", seed, step, slices.Index(conns, got), slices.Index(conns, want))
		}
	}
	for _, c := range conns {
		g.lobby.leave(c)
	}
	if l := &g.lobby; l.sockets() != 0 || l.addresses() != 0 || l.all.oldest != nil || l.all.newest != nil {
		t.Errorf("%d sockets of %d addresses are left", l.sockets(), l.addresses())
	}
}

// overfull gives who has to make room in the model after a socket of an address
// has come.
func overfull(model []*conn, peer netip.Addr) *conn {
	var same []*conn
	for _, m := range model {
		if m.addr == peer {
			same = append(same, m)
		}
	}
	switch {
	case peer.IsValid() && len(same) > 5:
		return same[0]
	case len(model) > 12:
		return model[0]
	}
	return nil
}

// frailStore is noStore until its disk is full.
type frailStore struct {
	noStore
	full bool
}

func (f *frailStore) OpenSession(context.Context, im.Opening, int64) (int64, error) {
	if f.full {
		return 0, errors.New("disk full")
	}
	return 1, nil
}

// TestSE14_SocketWhoseNewLoginFailsIsWithoutASession logs another user in on a
// socket, which has left its session by the time the store says no.
func TestSE14_SocketWhoseNewLoginFailsIsWithoutASession(t *testing.T) {
	st := &frailStore{}
	g := newTestGatewayOn(t, st, Limits{})
	c, _ := tcpConn(t, g)
	g.admit(c)
	head := logIn(t, c, "alice")
	if n := g.lobby.sockets(); n != 0 {
		t.Errorf("logged in: %d sockets are without a session", n)
	}
	st.full = true
	sig, err := usersig.Mint(1, "bob", testKey, time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	delete(head, "a2")
	head["identifier"], head["usersig"], head["seq"] = "bob", sig, 2
	if err := c.feed(message(t, head, struct{}{})); err != nil {
		t.Fatal(err)
	}
	if n := g.lobby.sockets(); n != 1 || c.session.Load() != nil {
		t.Errorf("after the login that failed: %d sockets are without a session, want 1", n)
	}
	c.finish()
	if n := g.lobby.sockets(); n != 0 {
		t.Errorf("closed: %d sockets are without a session", n)
	}
}
