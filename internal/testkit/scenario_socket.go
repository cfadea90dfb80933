package testkit

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// socketStage plays a scenario by clients on the sockets of a whole server.
type socketStage struct {
	t       *testing.T
	s       *Server
	circle  *Circle
	actors  map[*actor]bool
	strange int // strangers so far
}

// newSocketStage starts a server on which a burst is not paced: that has tests of
// its own, and the engine knows no pace.
func newSocketStage(t *testing.T, given []string) stage {
	t.Helper()
	c := NewCircle()
	s := StartCircle(t, c, append([]string{"gateway.burst=100000", "limits.user_logins=100000"}, given...)...)
	s.Set(map[string]any{"limit.calls": 0, "status.friend_notices": false})
	return &socketStage{t: t, s: s, circle: c, actors: make(map[*actor]bool)}
}

func (g *socketStage) act(a *actor, step scenarioStep) string {
	switch a.name {
	case "server":
		return g.server(step)
	case "app":
		g.s.Set(settingsOf(step.args))
		return "ok"
	case "operator":
		return g.operator(step)
	}
	g.actors[a] = true
	switch step.verb {
	case "is":
		return g.is(a, step.args)
	case "login":
		return g.login(a, step.args)
	case "return":
		return g.back(a)
	case "befriend", "unfriend", "block", "unblock":
		return outcomeOf(g.circle.order(g.t.Context(), step.verb, a.user, step.args))
	}
	if a.client == nil {
		return "not logged in"
	}
	return g.use(a, step)
}

// use has a client that is there do something.
func (g *socketStage) use(a *actor, step scenarioStep) string {
	switch step.verb {
	case "logout":
		return code(a.client.Call("im_open_status.wslogout", map[string]any{"wslogout_type": 0}))
	case "close":
		a.client.Close(closeCode(step.args))
	case "break":
		a.client.Break()
	case "silent":
		a.client.Must("heartbeat.alive", struct{}{})
		a.client.Silence()
	case "set":
		return code(a.client.Call("im_open_status.ws_set_custom_status", map[string]any{"CustomStatus": strings.Join(step.args, " ")}))
	case "subscribe":
		return g.list(a, "ws_status_subscribe", step.args)
	case "unsubscribe":
		if len(step.args) == 1 && step.args[0] == "all" {
			step.args = []string{}
		}
		return g.list(a, "ws_status_unsubscribe", step.args)
	case "query":
		return g.list(a, "ws_get_user_status", step.args)
	case "kicked":
		return same("kicked "+strconv.Itoa(a.kicked), "kicked "+strings.Join(step.args, ""))
	case "ended":
		a.client.Closed()
	default:
		return "no such verb"
	}
	return "ok"
}

func (g *socketStage) login(a *actor, args []string) string {
	a.client = g.s.Connect(a.user)
	a.client.Platform = platformNumbers[args[0]]
	ans := a.client.TryLogin(g.s.UserSigFor(a.user, time.Now(), lifeOf(g.t, args)))
	if ans.Code == 0 {
		a.client.Ready()
	}
	return code(ans)
}

// back brings a session back on a new socket.
func (g *socketStage) back(a *actor) string {
	from := a.client
	a.client = g.s.Connect(a.user)
	if ans := a.client.Return(from); ans.Code != 0 {
		return outcomeOver(ans.Code)
	}
	ans := a.client.Call("heartbeat.alive", struct{}{})
	if ans.Code != 0 {
		return outcomeOver(ans.Code)
	}
	a.kicked = 0
	if g.take(a); a.kicked != 0 {
		return "kicked " + strconv.Itoa(a.kicked)
	}
	return "ok"
}

// outcomeOver is how the end of a session is called.
func outcomeOver(code int) string {
	if code == int(im.CodeSigExpired) {
		return "over"
	}
	return strconv.Itoa(code)
}

// take takes what a client was pushed.
func (g *socketStage) take(a *actor) {
	for _, f := range a.client.Pushed() {
		if k := a.client.KickOf(f); k != 0 {
			a.kicked = k
			continue
		}
		a.kept = append(a.kept, f)
	}
}

// list gives a command on users and says who failed, or how all stand.
func (g *socketStage) list(a *actor, command string, users []string) string {
	ans := a.client.Call("im_open_status."+command, map[string]any{"To_Account": users})
	if ans.Code != 0 {
		return code(ans)
	}
	return listed(g.t, a.client, ans)
}

// Failures writes down those users of an answer for whom its command failed, in
// order, "ghost 70107, \"\" 7003", and "ok" for none.
func Failures(c *Client, ans Answer) string {
	c.t.Helper()
	var body struct {
		Failed []struct {
			User string `json:"To_Account"`
			Code int    `json:"ErrorCode"`
		} `json:"ErrorList"`
	}
	c.decode(ans.Raw, &body)
	var parts []string
	for _, f := range body.Failed {
		parts = append(parts, failure(f.User, f.Code))
	}
	return joined(parts)
}

// listed writes down an answer on users.
func listed(t *testing.T, c *Client, ans Answer) string {
	t.Helper()
	var body struct {
		List   []Status `json:"UserStatusList"`
		Failed []struct {
			User string `json:"To_Account"`
			Code int    `json:"ErrorCode"`
		} `json:"ErrorList"`
	}
	c.decode(ans.Raw, &body)
	var parts []string
	for _, s := range decodeCustom(t, body.List) {
		parts = append(parts, s.String())
	}
	for _, f := range body.Failed {
		parts = append(parts, failure(f.User, f.Code))
	}
	return joined(parts)
}

// failure writes one user of a list down for whom a command failed.
func failure(user string, code int) string {
	if split(user) == nil || len(split(user)) != 1 {
		user = strconv.Quote(user)
	}
	return fmt.Sprintf("%s %d", user, code)
}

func joined(parts []string) string {
	if len(parts) == 0 {
		return "ok"
	}
	return strings.Join(parts, ", ")
}

// is asks how a user stands, as one who has just come.
func (g *socketStage) is(a *actor, want []string) string {
	g.strange++
	c := g.s.Login(im.UserID(fmt.Sprintf("stranger%d", g.strange)))
	defer c.Close(1000)
	got := c.Query(string(a.user))[0].String()
	return same(got, string(a.user)+" "+strings.Join(want, " "))
}

func same(got, want string) string {
	if got == strings.TrimSpace(want) {
		return "ok"
	}
	return got
}

func (g *socketStage) server(step scenarioStep) string {
	switch step.verb {
	case "stop":
		g.s.Stop()
		return "ok"
	case "restart":
		g.s.RestartAfter(downtime(g.t, step.args))
	case "crash":
		g.s.CrashFor(downtime(g.t, step.args))
	default:
		return "no such verb"
	}
	for a := range g.actors {
		if a.client != nil {
			a.client.Break()
		}
	}
	return "ok"
}

func (g *socketStage) operator(step scenarioStep) string {
	switch user := step.args[0]; step.verb {
	case "kick":
		g.s.Kick(user)
	case "ban":
		g.s.Ban(user)
	case "unban":
		g.s.Unban(user)
	default:
		return "no such verb"
	}
	return "ok"
}

func (g *socketStage) told(a *actor) (all []toldStatus) {
	if a.client == nil {
		return nil
	}
	g.take(a)
	for _, f := range a.kept {
		for _, s := range a.client.StatusesOf(f) {
			all = append(all, toldOf(g.t, s))
		}
	}
	a.kept = nil
	return all
}

func toldOf(t *testing.T, s Status) toldStatus {
	t.Helper()
	told := toldStatus{user: s.User, text: strings.TrimSpace(im.General(s.General).String() + " " + s.Custom)}
	if _, err := fmt.Sscanf(s.Version, "%d.%d", &told.version.Epoch, &told.version.Seq); err != nil {
		t.Errorf("version %q: %v", s.Version, err)
	}
	return told
}

func code(a Answer) string {
	if a.Code == 0 {
		return "ok"
	}
	return strconv.Itoa(a.Code)
}

// closeCode gives with which code a page is closed.
func closeCode(args []string) int {
	if len(args) == 1 {
		if n, err := strconv.Atoi(args[0]); err == nil {
			return n
		}
	}
	return 1001
}

// settingsOf reads settings of the form name=value.
func settingsOf(args []string) map[string]any {
	all := make(map[string]any)
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		if n, err := strconv.Atoi(value); err == nil {
			all[name] = n
		} else if b, err := strconv.ParseBool(value); err == nil {
			all[name] = b
		} else {
			all[name] = value
		}
	}
	return all
}
