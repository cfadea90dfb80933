package server_test

import (
	"fmt"
	"testing/synctest"
	"time"

	"github.com/porchlight-im/porchlight/internal/testkit"
)

// action is something that a device does, or that time brings about.
type action struct {
	name   string
	at     time.Time            // where time brings it about
	fire   func(a *action)      // does it and does not wait for the outcome
	apply  func(m *model)       // says what it means
	after  func(testkit.Answer) // once it was answered
	answer <-chan testkit.Answer
	device *device
}

func (a *action) String() string { return a.name }

const (
	cmdLogin  = "im_open_status.wslogin"
	cmdLogout = "im_open_status.wslogout"
	cmdSay    = "im_open_status.ws_set_custom_status"
)

// next chooses what a device does now, nil for nothing.
func (tr *trial) next(d *device) *action {
	n := tr.rng.IntN(100)
	tr.heeds(d)
	switch {
	case d.login == nil && tr.rng.IntN(100) < tr.shy:
		return nil
	case d.login == nil && n < 25:
		return tr.logInTwice(d)
	case d.login == nil && n < 60 && d.k != nil && d.k.Open() && d.k.silent.IsZero():
		return tr.logIn(d, d.k)
	case d.login == nil:
		return tr.logIn(d, tr.dial(d))
	case !d.told.IsZero():
		return tr.heed(d, n)
	case d.k != nil && !d.k.silent.IsZero() && d.k.Open():
		if n < 70 {
			return nil
		}
		return tr.comeBack(d)
	case d.k != nil && d.k.silent.IsZero():
		return tr.whileThere(d, n)
	default:
		return tr.whileAway(d, n)
	}
}

// whileThere chooses for a device that is logged in and has a socket.
func (tr *trial) whileThere(d *device, n int) *action {
	young := time.Since(d.login.at) < 20*time.Second
	switch {
	case n < 35:
		return tr.leave(d)
	case n < 45:
		return tr.silence(d)
	case n < 60:
		return tr.say(d)
	case n < 68 && d.login.said != nil:
		return tr.sayAgain(d, d.k)
	case n < 78:
		return tr.comeBack(d) // on a second socket
	case n < 81:
		d.spare = d.k
		return tr.comeBack(d) // on the same socket
	case n < 86 && young && d.login.head != nil:
		return tr.repeat(d)
	case n < 92:
		return tr.logIn(d, d.k) // without a logout
	default:
		return nil
	}
}

// whileAway chooses for a device that is logged in and has no socket.
func (tr *trial) whileAway(d *device, n int) *action {
	d.k = nil
	young := time.Since(d.login.at) < 20*time.Second
	switch {
	case n < 12:
		return tr.logIn(d, tr.dial(d)) // anew: the session stays behind
	case n < 20:
		return tr.logOut(d, tr.dial(d))
	case n < 35 && young && d.login.head != nil:
		return tr.repeat(d)
	case n < 45 && d.login.said != nil:
		d.spare = tr.dial(d)
		return tr.sayAgain(d, d.spare) // before it is back
	case n < 60:
		return nil
	default:
		return tr.comeBack(d)
	}
}

// heeds has a device that was told that it was pushed out notice that it
// cannot log out any more on the socket, which the server closes in the end.
func (tr *trial) heeds(d *device) {
	if !d.told.IsZero() && (d.k == nil || !d.k.Open() || time.Since(d.told) > 18*time.Second) {
		d.login, d.k, d.told = nil, nil, time.Time{}
	}
}

// heed is what a device does that was told that it was pushed out. The official
// one logs out.
func (tr *trial) heed(d *device, n int) *action {
	if code := tr.probe(d.login, d.k); code != probeOver {
		tr.fail("%s is answered %d on its own socket after it was told, want %d", d.login, code, probeOver)
	}
	switch {
	case n < 70:
		return tr.logOut(d, d.k)
	case n < 85 && d.k.silent.IsZero():
		return tr.logIn(d, d.k)
	default: // it forgets that socket
		d.login, d.k, d.told = nil, nil, time.Time{}
		return nil
	}
}

// newLogin makes the session that a request is to open.
func (tr *trial) newLogin(d *device, k *socket) *login {
	head := tr.head(k, cmdLogin)
	delete(head, "a2")
	head["identifier"], head["usersig"] = bob, tr.sig
	return &login{name: fmt.Sprintf("%s#%d", d.name, tr.count), platform: d.platform, head: head, at: time.Now()}
}

// settle takes over what a login was answered.
func (tr *trial) settle(d *device, l *login, k *socket) func(testkit.Answer) {
	return func(a testkit.Answer) {
		if k.Keep(a).Code == 0 {
			if l.a2 == "" {
				tr.logins = append(tr.logins, l)
			}
			l.a2, l.tiny, l.inst = k.A2, k.TinyID, k.Inst
		}
		d.login, d.k, d.told, k.last = l, k, time.Time{}, ""
		if tr.rng.IntN(2) == 0 { // the other half is slow to be ready
			k.Send(tr.head(k, "million_group_open_http_svc.get_joined_group_list"), struct{}{})
		}
	}
}

func (tr *trial) logIn(d *device, k *socket) *action {
	l := tr.newLogin(d, k)
	a := &action{name: fmt.Sprintf("%s logs in on %s", l, k), device: d, after: tr.settle(d, l, k)}
	a.fire = func(a *action) { a.answer = k.Send(l.head, struct{}{}) }
	a.apply = func(m *model) { m.logIn(l, k); m.codes[a] = 0 }
	return a
}

// logInTwice logs in, loses the connection at once and repeats the request.
func (tr *trial) logInTwice(d *device) *action {
	first, k := tr.dial(d), tr.dial(d)
	l := tr.newLogin(d, first)
	a := &action{name: fmt.Sprintf("%s logs in on %s, which breaks, and repeats that on %s", l, first, k), device: d, after: tr.settle(d, l, k)}
	a.fire = func(a *action) {
		first.Send(l.head, struct{}{})
		synctest.Wait() // it is being committed
		first.Break()
		a.answer = k.Send(l.head, struct{}{})
	}
	a.apply = func(m *model) { m.cut[first] = true; m.logIn(l, k); m.codes[a] = 0 }
	return a
}

// repeat sends the request again that opened the session.
func (tr *trial) repeat(d *device) *action {
	l, k := d.login, tr.dial(d)
	fresh := &login{name: l.name + "+", platform: l.platform, head: l.head, at: time.Now()}
	a := &action{name: fmt.Sprintf("%s repeats its login on %s", l, k), device: d}
	a.fire = func(a *action) { a.answer = k.Send(l.head, struct{}{}) }
	a.apply = func(m *model) { m.repeat(a, l, fresh, k); m.codes[a] = 0 }
	a.after = func(ans testkit.Answer) {
		opened := fresh
		if k.Keep(ans).Code == 0 && k.A2 == l.a2 {
			opened = l
		}
		tr.settle(d, opened, k)(ans)
	}
	return a
}

// comeBack returns on a new socket, though the first may still live.
func (tr *trial) comeBack(d *device) *action {
	l, k := d.login, d.spare
	if d.spare = nil; k == nil || !k.Open() {
		k = tr.dial(d)
	}
	l.use(k)
	a := &action{name: fmt.Sprintf("%s comes back on %s", l, k), device: d}
	a.fire = func(a *action) { a.answer = k.Send(tr.head(k, cmdLogin), struct{}{}) }
	a.apply = func(m *model) { m.codes[a] = m.comeBack(l, k) }
	a.after = func(ans testkit.Answer) {
		d.k = k
		if ans.Code != 0 {
			d.login = nil
		}
	}
	return a
}

func (tr *trial) logOut(d *device, k *socket) *action {
	l := d.login
	l.use(k)
	a := &action{name: fmt.Sprintf("%s logs out on %s", l, k), device: d}
	a.fire = func(a *action) { a.answer = k.Send(tr.head(k, cmdLogout), struct{}{}) }
	a.apply = func(m *model) { m.logOut(l); m.codes[a] = 0 }
	a.after = func(testkit.Answer) { d.login, d.k, d.told = nil, k, time.Time{}; k.A2 = "" }
	return a
}

// leave is one of the ways in which a device goes.
func (tr *trial) leave(d *device) *action {
	k, l := d.k, d.login
	switch n := tr.rng.IntN(10); {
	case n < 3:
		return tr.logOut(d, k)
	case n < 6:
		a := &action{name: fmt.Sprintf("%s breaks beneath %s", k, l), device: d, after: func(testkit.Answer) { d.k = nil }}
		a.fire = func(*action) { k.Break() }
		a.apply = func(m *model) { m.cut[k] = true; m.part(k, graceBreak) }
		return a
	default:
		code := []int{1001, 1000, 4000, 4001}[n-6]
		grace := map[int]time.Duration{4001: graceBreak}[code]
		a := &action{name: fmt.Sprintf("%s beneath %s is closed with %d", k, l, code), device: d, after: func(testkit.Answer) { d.k = nil }}
		a.fire = func(*action) { k.Close(code) }
		a.apply = func(m *model) { m.cut[k] = true; m.part(k, grace) }
		return a
	}
}

func (tr *trial) silence(d *device) *action {
	k := d.k
	return &action{
		name: fmt.Sprintf("%s beneath %s falls silent", k, d.login), device: d,
		fire: func(*action) { k.silent = time.Now(); k.Silence() }, apply: func(*model) {}, after: func(testkit.Answer) {},
	}
}

func (tr *trial) say(d *device) *action {
	l, k := d.login, d.k
	l.text, l.said = fmt.Sprintf("text%d", tr.count), tr.head(k, cmdSay)
	a := &action{name: fmt.Sprintf("%s says %s", l, l.text), device: d, after: func(testkit.Answer) {}}
	a.fire = func(a *action) { a.answer = k.Send(l.said, map[string]any{"CustomStatus": l.text}) }
	a.apply = func(m *model) { m.codes[a] = m.say(l, l.text) }
	return a
}

// sayAgain repeats what the session said last, which has no further effect.
func (tr *trial) sayAgain(d *device, k *socket) *action {
	l := d.login
	a := &action{name: fmt.Sprintf("%s repeats on %s that it says %s", l, k, l.text), device: d, after: func(testkit.Answer) {}}
	a.fire = func(a *action) { a.answer = k.Send(l.said, map[string]any{"CustomStatus": l.text}) }
	a.apply = func(m *model) {
		if m.codes[a] = probeOver; m.at[l].ended == stands {
			m.codes[a] = 0
		}
	}
	return a
}
