package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/porchlight-im/porchlight/internal/account"
	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/status"
	"github.com/porchlight-im/porchlight/internal/usersig"
	"github.com/porchlight-im/porchlight/internal/wire"
)

// noStore keeps nothing and says that all went well.
type noStore struct{}

func (noStore) Apps(context.Context) ([]im.AppRow, error) {
	return []im.AppRow{{ID: 1, Enabled: true, Keys: []im.AppKey{{ID: 1, Secret: testKey}}, Settings: map[string]string{"limit.calls": "0"}}}, nil
}

func (noStore) Accounts(_ context.Context, _ im.AppID, ids []im.UserID) (map[im.UserID]int64, error) {
	all := make(map[im.UserID]int64, len(ids))
	for _, id := range ids {
		all[id] = 1
	}
	return all, nil
}

func (noStore) Standing(context.Context, im.UserKey) (im.Standing, error) { return im.Standing{}, nil }

func (noStore) Revoke(context.Context, im.Order) error { return nil }

// Import keeps nobody out.
func (noStore) Import(context.Context, im.Import) ([]im.UserID, error) { return nil, nil }

func (noStore) User(context.Context, im.UserKey) (im.UserRow, error) {
	return im.UserRow{Found: true, TinyID: 1}, nil
}

func (noStore) OpenSession(context.Context, im.Opening, int64) (int64, error) { return 1, nil }

func (noStore) CloseSessions(context.Context, im.UserKey, []im.SessionRow, []im.Mark, ...im.CustomRow) error {
	return nil
}

func (noStore) SaveLive(context.Context, []im.Mark, []im.CustomRow) error { return nil }

func (noStore) ClearCustoms(context.Context, int64) error { return nil }

func (noStore) Live(context.Context, int64, func(im.LiveRow) error) error { return nil }

func (noStore) SaveWatching(context.Context, im.UserKey, []im.UserID, []im.UserID) error { return nil }

func (noStore) ClearWatching(context.Context, im.UserKey) error { return nil }

const testKey = "a key that only these tests know"

// fullStore is noStore on a disk that was full before the one session that it
// holds could be closed.
type fullStore struct {
	noStore
	open im.SessionRow
}

func (f *fullStore) OpenSession(_ context.Context, o im.Opening, _ int64) (int64, error) {
	f.open = o.Session
	return 1, nil
}

func (f *fullStore) User(context.Context, im.UserKey) (im.UserRow, error) {
	return im.UserRow{Found: true, TinyID: 1, Sessions: []im.SessionRow{f.open}}, nil
}

func (*fullStore) CloseSessions(context.Context, im.UserKey, []im.SessionRow, []im.Mark, ...im.CustomRow) error {
	return errors.New("disk full")
}

// newTestGateway makes a gateway on nothing.
func newTestGateway(t testing.TB, lim Limits) *Gateway {
	t.Helper()
	return newTestGatewayOn(t, noStore{}, lim)
}

func newTestGatewayOn(t testing.TB, st status.Store, lim Limits) *Gateway {
	t.Helper()
	apps, err := app.Load(t.Context(), noStore{})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	accounts := account.New(noStore{})
	return New(Config{
		Apps: apps, Accounts: accounts, Log: log, Limits: lim,
		Sealer: usersig.NewSealer(bytes.Repeat([]byte("s"), 32)),
		Status: status.New(status.Config{
			Store: st, Lists: noStore{}, Accounts: accounts, Encode: wire.Encode,
			Rules: status.DefaultRules(), Epoch: 1, Log: log,
		}),
	})
}

// tcpConn gives a connection of the gateway and its peer's end, on loopback.
func tcpConn(t testing.TB, g *Gateway) (*conn, net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }() // one connection is enough
	peer, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	nc, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/binfo?sdkappid=1", nil)
	c := g.newConn(nc, r)
	t.Cleanup(func() { _, _ = nc.Close(), peer.Close() })
	return c, peer
}

// message compiles a masked frame of a command.
func message(t testing.TB, head map[string]any, body any) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{"head": head, "body": body})
	if err != nil {
		t.Fatal(err)
	}
	return ws.MustCompileFrame(ws.MaskFrame(ws.NewBinaryFrame(text)))
}

// logIn logs a user in on a connection and gives the head of later commands.
func logIn(t testing.TB, c *conn, user im.UserID) map[string]any {
	t.Helper()
	sig, err := usersig.Mint(1, user, testKey, time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	head := map[string]any{
		"ver": "v4", "platform": 7, "websdkappid": 537048168, "websdkversion": "1.7.3", "identifier": user, "usersig": sig,
		"sdkappid": 1, "contenttype": "json", "reqtime": 1795400000, "sdkability": 75689843, "sdkability_ext": "", "cappid": 0,
		"servcmd": wire.CmdLogin, "seq": 1, "cs": 0, "status_instid": 0,
	}
	if err := c.feed(message(t, head, struct{}{})); err != nil {
		t.Fatal(err)
	}
	s := c.session.Load()
	if s == nil {
		t.Fatal("not logged in")
	}
	delete(head, "identifier")
	delete(head, "usersig")
	head["a2"], head["tinyid"], head["status_instid"] = c.g.a2Key(s.Session), "144115200000000001", uint32(s.Inst)
	return head
}

// readFrame reads one frame and gives its payload.
func readFrame(r io.Reader) ([]byte, error) {
	h, err := ws.ReadHeader(r)
	if err != nil {
		return nil, err
	}
	payload := make([]byte, h.Length)
	_, err = io.ReadFull(r, payload)
	return payload, err
}

// frames reads the frames that a peer gets and gives their texts on a channel.
func frames(peer net.Conn) <-chan string {
	out := make(chan string, 10_000)
	go func() {
		defer close(out)
		for {
			f, err := readFrame(peer)
			if err != nil {
				return
			}
			out <- string(f)
		}
	}()
	return out
}

// TestST13_NothingOlderFollowsAnAnswer holds the lane as a query does, changes a
// status before and after the answer is made, and looks at the order.
func TestST13_NothingOlderFollowsAnAnswer(t *testing.T) {
	g := newTestGateway(t, Limits{})
	c, peer := tcpConn(t, g)
	got := frames(peer)
	a := change("bob", im.Status{General: im.Unlogined}, im.Status{General: im.Online}, 1)
	b := change("bob", im.Status{General: im.Online}, im.Status{General: im.Unlogined}, 2)
	for _, n := range []*im.Notice{a, b} {
		wire.Encode(n)
	}
	c.out.hold()
	c.Others(a)
	c.reply([]byte("the answer"))
	c.Others(b) // as it was before a, but the answer may have told a
	c.out.release()
	if f := <-got; f != "the answer" {
		t.Errorf("first came %s", f)
	}
	if f := <-got; !strings.Contains(f, `"Version":"1.2"`) {
		t.Errorf("then came %s", f)
	}
}

// TestSessionsAreForgotten ends sessions in each way that there is and looks at
// what the gateway remembers of them in the end.
func TestSessionsAreForgotten(t *testing.T) {
	g := newTestGateway(t, Limits{})
	loggedOut, _ := tcpConn(t, g)
	head := logIn(t, loggedOut, "alice")
	head["servcmd"] = wire.CmdLogout
	if err := loggedOut.feed(message(t, head, struct{}{})); err != nil {
		t.Fatal(err)
	}
	left, _ := tcpConn(t, g)
	logIn(t, left, "bob")
	left.finish()
	again, _ := tcpConn(t, g)
	logIn(t, again, "carol")
	logIn(t, again, "dave") // on carol's socket
	again.finish()
	if len(g.memory.sessions) == 0 {
		t.Fatal("nothing is remembered to begin with")
	}
	g.memory.forget(g.now() + memoryFor + 1)
	if n := len(g.memory.sessions) + len(g.memory.logins); n != 0 {
		t.Errorf("%d entries are left", n)
	}
}

// TestSE8_LogoutThatIsNotCommittedIsNeverAcknowledged gives a logout twice on a
// disk that is full: the second is no more done than the first.
func TestSE8_LogoutThatIsNotCommittedIsNeverAcknowledged(t *testing.T) {
	c, peer := tcpConn(t, newTestGatewayOn(t, &fullStore{}, Limits{}))
	got := frames(peer)
	head := logIn(t, c, "alice")
	<-got // the login's answer
	head["servcmd"] = wire.CmdLogout
	for range 2 {
		if err := c.feed(message(t, head, struct{}{})); err != nil {
			t.Fatal(err)
		}
		if f := <-got; !strings.Contains(f, `"ErrorCode":70500`) {
			t.Errorf("answered %s", f)
		}
	}
}

// TestSE22_SlowReaderIsDropped fills a connection whose peer does not read: its
// statuses conflate, and too many answers end it.
func TestSE22_SlowReaderIsDropped(t *testing.T) {
	g := newTestGateway(t, Limits{QueueBytes: 64 << 10, Write: 200 * time.Millisecond})
	c, _ := tcpConn(t, g)
	on, off := im.Status{General: im.Online}, im.Status{General: im.Unlogined}
	answer := bytes.Repeat([]byte("x"), 16<<10)
	for i := range 10_000 {
		n := change("bob", off, on, uint64(i))
		n.Push = []byte("p")
		c.Others(n)
		if n := len(c.out.lane.entries); n > 2*indexFrom {
			t.Fatalf("%d entries for one user", n)
		}
		c.reply(answer)
		if c.endCause() != im.CauseNone {
			break
		}
	}
	if c.endCause() != im.CauseBreak {
		t.Error("the connection was not dropped")
	}
	c.out.waitIdle()
	if !c.out.ended {
		t.Error("the outbox still takes")
	}
}

func TestRateLimitLetsABurstThroughAndThenARate(t *testing.T) {
	var l gcra
	now, step := int64(1e9), int64(1e8)
	passed := 0
	for range 10 {
		if l.allow(now, step, 5) {
			passed++
		}
	}
	if passed != 5 {
		t.Errorf("%d at once, want 5", passed)
	}
	if next := l.next(step, 5); next != now+step {
		t.Errorf("the next may pass at %d, want %d", next, now+step)
	}
	for i := range 5 {
		if !l.allow(now+int64(i+1)*step, step, 5) {
			t.Errorf("step %d was refused", i)
		}
	}
}

// BenchmarkSetCustomStatus decodes, dispatches and answers a command, with the
// answer and the user's own event written to a socket. The store is none.
func BenchmarkSetCustomStatus(b *testing.B) {
	g := newTestGateway(b, Limits{CommandRate: 1e9, CommandBurst: 1 << 30})
	c, peer := tcpConn(b, g)
	go func() { _, _ = io.Copy(io.Discard, peer) }()
	head := logIn(b, c, "alice")
	head["servcmd"] = wire.CmdSetStatus
	const variants = 64
	var msgs [variants][]byte
	for i := range msgs {
		head["seq"] = 100_000_000 + i
		f := message(b, head, map[string]any{"CustomStatus": fmt.Sprint("In a meeting ", i)})
		msgs[i] = f
	}
	buf := make([]byte, 4096)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		n := copy(buf, msgs[i%variants]) // serving unmasks in place
		if err := c.feed(buf[:n]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFanOut1000 tells one change to the outboxes of 1,000 connections;
// the flusher that would write them is not running.
func BenchmarkFanOut1000(b *testing.B) {
	g := newTestGateway(b, Limits{})
	conns := make([]*conn, 1000)
	for i := range conns {
		conns[i] = &conn{g: g, opcode: ws.OpBinary}
		conns[i].out.c = conns[i]
	}
	on, off := im.Status{General: im.Online}, im.Status{General: im.Unlogined}
	b.ReportAllocs()
	for i := uint64(1); b.Loop(); i++ {
		n := change("star", off, on, i)
		wire.Encode(n)
		for _, c := range conns {
			c.Others(n)
		}
		for _, c := range conns { // as if it had been written
			c.out.lane = lane{}
			c.out.ready = false
		}
		g.flush.ready = g.flush.ready[:0]
	}
}

// BenchmarkLastOf10000 sets the custom status of a user whom 10,000 watch: when
// SetCustom returns, the last of their outboxes has the notice. Flushers do not
// run meanwhile, and there is no store.
func BenchmarkLastOf10000(b *testing.B) {
	g := newTestGateway(b, Limits{})
	log := func(user im.UserID, out status.Outbox) {
		login := status.Login{
			User: im.UserKey{App: 1, User: user}, Policy: status.Policy{Policy: im.PolicyMulti}, Expires: 1 << 40, Out: out,
		}
		if _, err := g.cfg.Status.Login(b.Context(), login, 1); err != nil {
			b.Fatal(err)
		}
	}
	conns := make([]*conn, 10_001)
	for i := range conns {
		conns[i] = &conn{g: g, opcode: ws.OpBinary}
		conns[i].out.c = conns[i]
		user := im.UserID(fmt.Sprintf("w%d", i))
		log(user, conns[i])
		if i == 0 {
			continue
		}
		if _, err := g.cfg.Status.Subscribe(b.Context(), im.UserKey{App: 1, User: user}, []im.UserID{"w0"}, 200); err != nil {
			b.Fatal(err)
		}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var took, worked []time.Duration
	for i := 0; b.Loop(); i++ {
		start, busy := time.Now(), threadTime()
		if err := g.cfg.Status.SetCustom(b.Context(), im.UserKey{App: 1, User: "w0"}, strconv.Itoa(i)); err != nil {
			b.Fatal(err)
		}
		took, worked = append(took, time.Since(start)), append(worked, threadTime()-busy)
		for _, c := range conns { // as if it had been written
			if i == 0 && c.out.lane.empty() && c != conns[0] {
				b.Fatal("a watcher was not told")
			}
			c.out.lane, c.out.own = lane{}, pending{}
			c.out.ready = false
		}
		g.flush.ready = g.flush.ready[:0]
	}
	slices.Sort(took)
	slices.Sort(worked)
	b.ReportMetric(worked[len(worked)*99/100].Seconds()*1000, "p99-cpu-ms")
	b.ReportMetric(took[len(took)/2].Seconds()*1000, "p50-ms")
	b.ReportMetric(took[len(took)*99/100].Seconds()*1000, "p99-ms")
	b.ReportMetric(took[len(took)-1].Seconds()*1000, "longest-ms")
}

// BenchmarkDeliver1000 is the same down to the sockets: one write each.
func BenchmarkDeliver1000(b *testing.B) {
	g := newTestGateway(b, Limits{Burst: 1 << 30})
	conns := make([]*conn, 1000)
	for i := range conns {
		c, peer := tcpConn(b, g)
		go func() { _, _ = io.Copy(io.Discard, peer) }()
		conns[i] = c
	}
	on, off := im.Status{General: im.Online}, im.Status{General: im.Unlogined}
	b.ReportAllocs()
	for i := uint64(1); b.Loop(); i++ {
		n := change("star", off, on, i)
		wire.Encode(n)
		for _, c := range conns {
			c.Others(n)
		}
		for _, o := range g.flush.ready {
			o.flush()
		}
		g.flush.ready = g.flush.ready[:0]
	}
}

// TestSE9_SE15_WallClockThatIsSetHoldsNobodyBack sets the wall clock while a
// connection rests: it is neither found silent nor refused for its rate.
func TestSE9_SE15_WallClockThatIsSetHoldsNobodyBack(t *testing.T) {
	var off time.Duration
	g := newTestGateway(t, Limits{CommandRate: 1_000_000, CommandBurst: 1})
	g.cfg.Now = func() time.Time { return time.Now().Round(0).Add(off) }
	c, _ := tcpConn(t, g)
	c.good.Store(true)
	for _, off = range []time.Duration{0, time.Hour, -time.Hour} {
		if c.due(g.now()) {
			t.Errorf("the clock set by %s: a connection that was heard just now is due", off)
		}
		allowed := false
		for i := 0; i < 1_000_000 && !allowed; i++ { // a command is allowed each microsecond
			allowed = c.withinRate("openim.getmsg")
		}
		if !allowed {
			t.Errorf("the clock set by %s: no command is within the rate any more", off)
		}
	}
}
