package server_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

// mortal is a session with the time of its UserSig's end.
type mortal struct {
	user    im.UserID
	c       *testkit.Client // its latest socket
	there   bool            // it has one
	grace   time.Time       // until when its user may be what they were, once it has none
	expires int64           // Unix seconds
	quiet   bool            // it does nothing
}

// over reports whether the session's UserSig has expired.
func (m *mortal) over() bool { return time.Now().Unix() > m.expires }

// mortals are the sessions of some users, who come and go as their UserSigs
// expire.
type mortals struct {
	t     *testing.T
	s     *testkit.Server
	seed  uint64
	rng   *rand.Rand
	all   []*mortal
	users []string
	judge *testkit.Client
	log   []string
}

// TestSE5_NoSessionOutlivesItsUserSig has sessions whose UserSigs expire at
// random moments break, come back, call on their own and on other sockets, and
// live through a restart of the server. Some do nothing. The seeds are chosen as those of
// TestSE6_SE7_SE8_WI2_NeverNoneNeverTooManyEachLoserToldOnce.
func TestSE5_NoSessionOutlivesItsUserSig(t *testing.T) {
	first, last := testkit.Seeds(t, 6, 2)
	for seed := first; seed <= last && !t.Failed(); seed++ {
		synctest.Test(t, func(t *testing.T) {
			s := testkit.StartApp(t, testkit.DevApp(map[string]string{
				"login.policy": "multi", "login.native_sessions": "9", "login.web_sessions": "9", "limit.calls": "0",
			}), "limits.command_rate=1000", "limits.command_burst=10000")
			ms := &mortals{t: t, s: s, seed: seed, rng: rand.New(rand.NewPCG(seed, 2)), judge: s.Login("judge")}
			ms.begin()
			restart := 40 + ms.rng.IntN(100)
			for i := range 120 {
				if i == restart {
					ms.restart()
				}
				ms.act(ms.next())
				ms.judgeStatuses()
			}
			time.Sleep(2 * time.Minute)
			ms.judgeStatuses()
			for _, m := range ms.all {
				ms.probe(m)
			}
			s.Stop()
		})
	}
}

func (ms *mortals) fail(format string, args ...any) {
	ms.t.Helper()
	ms.t.Fatalf("%s=%d: %s; before that: %q", testkit.SeedEnv, ms.seed, fmt.Sprintf(format, args...), ms.log[max(0, len(ms.log)-20):])
}

// begin logs everybody in. A session in three does not expire.
func (ms *mortals) begin() {
	for i := range 15 {
		m := &mortal{user: im.UserID(fmt.Sprintf("user%d", i%5)), there: true}
		m.c = ms.s.Connect(m.user)
		m.c.Platform = []int{web, android, linux}[ms.rng.IntN(3)]
		life := time.Duration(1+ms.rng.IntN(100)) * time.Second
		switch i % 3 {
		case 0:
			life = 24 * time.Hour
		case 1:
			m.quiet = true
		}
		issued := time.Now().Add(-time.Duration(ms.rng.IntN(100)) * time.Second)
		m.expires = time.Now().Add(life).Unix()
		if a := m.c.TryLogin(ms.s.UserSigFor(m.user, issued, time.Duration(m.expires-issued.Unix())*time.Second)); a.Code != 0 {
			ms.fail("login: %d %s", a.Code, a.Info)
		}
		ms.all = append(ms.all, m)
		if i < 5 {
			ms.users = append(ms.users, string(m.user))
		}
		time.Sleep(time.Duration(ms.rng.IntN(300)) * time.Millisecond)
	}
}

// next lets some time pass and gives who acts then: often one in the moment in
// which its UserSig is over, and never one that does nothing, whose
// session ends all the same.
func (ms *mortals) next() *mortal {
	m := ms.all[ms.rng.IntN(len(ms.all))]
	for m.quiet {
		m = ms.all[ms.rng.IntN(len(ms.all))]
	}
	left := time.Until(time.Unix(m.expires+1, 0))
	if ms.rng.IntN(3) == 0 && left > 0 && left < 10*time.Second {
		time.Sleep(left)
		return m
	}
	time.Sleep(time.Duration(ms.rng.Int64N(int64(2 * time.Second))))
	return m
}

// act has a session do something, which is refused with 70001 if its UserSig
// has expired and carried out if it has not.
func (ms *mortals) act(m *mortal) {
	synctest.Wait()
	if m.there && m.over() && !m.c.Open() {
		m.there = false // the server has closed it
	}
	what := ms.rng.IntN(5)
	ms.log = append(ms.log, fmt.Sprintf("%d %s %d", time.Now().Unix(), m.user, what))
	switch {
	case what == 0 && m.there:
		m.c.Break()
		m.there, m.grace = false, time.Now().Add(graceBreak)
	case what == 1:
		ms.comeBack(m)
	case what == 2 && m.there:
		ms.want(m, "hello", m.c.Call("im_open_status.wshello", struct{}{}).Code, 0)
	case what == 3 && m.there:
		ms.want(m, "a custom status", m.c.Call(cmdSay, map[string]any{"CustomStatus": fmt.Sprint(len(ms.log))}).Code, 0)
	default:
		ms.probe(m)
	}
}

func (ms *mortals) comeBack(m *mortal) {
	c := ms.s.Connect(m.user)
	if a := c.Return(m.c); a.Code != 0 { // also one that is over is let in, and told at its heartbeat
		ms.fail("a return of %s is answered %d %s", m.user, a.Code, a.Info)
	}
	code := c.Call("heartbeat.alive", struct{}{}).Code
	if code == 0 {
		m.c, m.there = c, true
	} else {
		c.Break()
	}
	ms.want(m, "a return", code, 0)
}

// probe gives a command of the session's on a socket that is not its own.
func (ms *mortals) probe(m *mortal) {
	head := ms.judge.Head("x.unserved", ms.judge.NextSeq())
	head["a2"], head["tinyid"] = m.c.A2, m.c.TinyID
	ms.want(m, "a command elsewhere", ms.judge.CallHead(head, struct{}{}).Code, probeStands)
}

func (ms *mortals) want(m *mortal, what string, got, good int) {
	ms.t.Helper()
	want := good
	if m.over() {
		want = 70001
	}
	if got != want {
		ms.fail("%s of %s, %d s after the UserSig expired, is answered %d, want %d", what, m.user, time.Now().Unix()-m.expires, got, want)
	}
	if m.there && !m.over() && !m.c.Open() {
		ms.fail("the socket of %s, whose UserSig is good, was closed: %v", m.user, m.c.CloseError())
	}
}

func (ms *mortals) restart() {
	ms.log = append(ms.log, "restart")
	ms.s.Restart()
	for _, m := range ms.all {
		if m.there || m.grace.After(time.Now()) {
			m.there, m.grace = false, time.Now().Add(graceNode)
		}
	}
	ms.judge = ms.s.MustReturn(ms.judge)
}

// judgeStatuses checks that a user is ONLINE who has a session there whose
// UserSig is good, and that one is not whose sessions are all gone or expired
// for a minute.
func (ms *mortals) judgeStatuses() {
	ms.t.Helper()
	for _, st := range ms.judge.Query(ms.users...) {
		must, may := false, false
		for _, m := range ms.all {
			if string(m.user) != st.User {
				continue
			}
			must = must || m.there && !m.over()
			expired := time.Now().Unix()-m.expires > 60
			may = may || m.there && !expired || m.grace.After(time.Now().Add(-late)) && !expired
		}
		switch {
		case must && st.General != 1:
			ms.fail("%s has a session whose UserSig is good, and is %s", st.User, st)
		case !may && st.General == 1:
			ms.fail("a ghost: %s is %s without a session", st.User, st)
		}
	}
}
