package testkit

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// A scenario is a script of testdata/scenario that anyone can read: one step a
// line, a comment from # on, and in the first line the clauses that it is about.
// It is played twice, on the status engine and by clients on the sockets of a
// whole server, in fake time.
//
//	alice login web            alice.phone is another device of alice
//	bob login iphone for 1h    with a UserSig that is good for an hour
//	bob subscribe alice ghost => ghost 70107
//	alice set "in a meeting"
//	bob sees alice ONLINE in a meeting
//	wait 5s
//
// The verbs of a device: login, return, logout, close (a page is closed), break
// (its connection is lost), silent (nothing is heard of it any more), set,
// subscribe, unsubscribe, query, befriend, unfriend, block, unblock; and what
// must be so: sees, kicked, ended. What stands behind => is what a step comes to,
// a code or a list; without it the step must succeed. A step "bob is OFFLINE" asks
// as a stranger does. "app set", "operator kick", "operator ban", "operator unban",
// "server restart" and "server crash", both with "for 1h" for the time that nobody
// serves, and "given", a setting of the server, speak for themselves.
//
// Whatever a device is told of others must stand in the script: "sees nothing"
// holds it so far, and the end of the script does. Versions never fall and no
// status is told twice in a row.
type scenario struct {
	name  string
	given []string // settings of the server
	steps []scenarioStep
}

type scenarioStep struct {
	line    int
	who     string
	verb    string
	args    []string
	outcome string
}

// String gives the step as it is reported.
func (s scenarioStep) String() string {
	return fmt.Sprintf("line %d: %s %s %s", s.line, s.who, s.verb, strings.Join(s.args, " "))
}

// stage is what a scenario is played on.
type stage interface {
	// act carries a step out and says what it came to, "ok" for success.
	act(a *actor, step scenarioStep) (outcome string)
	// told gives the notices that a device got since it was last asked.
	told(a *actor) []toldStatus
}

// toldStatus is one notice that a device got.
type toldStatus struct {
	user    string
	text    string // "ONLINE busy"
	version im.Version
}

// actor is one device of a user.
type actor struct {
	name string
	user im.UserID

	others []toldStatus // not yet in the script
	own    []toldStatus
	last   map[string]toldStatus // of each user, on this connection

	client *Client    // on a server
	kept   []Frame    // pushes that were taken while another was looked for
	kicked int        // the KickType it was told last
	link   *engineEnd // on the engine
}

// player plays one scenario on one stage.
type player struct {
	t      *testing.T
	on     stage
	actors map[string]*actor
	step   scenarioStep
}

// PlayScenarios plays every script of a directory on the engine and over
// sockets.
func PlayScenarios(t *testing.T, dir string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scenarios in %s: %v", dir, err)
	}
	for _, path := range paths {
		sc := readScenario(t, path)
		t.Run(sc.name, func(t *testing.T) {
			for name, open := range map[string]func(*testing.T, []string) stage{"engine": newEngineStage, "socket": newSocketStage} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) { play(t, sc, open(t, sc.given)) })
				})
			}
		})
	}
}

func readScenario(t *testing.T, path string) scenario {
	t.Helper()
	f, err := os.Open(path) //nolint:gosec // G304: a script of the repository
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // it was only read
	sc := scenario{name: strings.TrimSuffix(filepath.Base(path), ".txt")}
	in := bufio.NewScanner(f)
	for line := 1; in.Scan(); line++ {
		text, _, _ := strings.Cut(in.Text(), "#")
		text, outcome, _ := strings.Cut(text, "=>")
		words := split(strings.TrimSpace(text))
		switch {
		case len(words) == 0:
			continue
		case words[0] == "given":
			sc.given = append(sc.given, words[1:]...)
			continue
		case len(words) == 1:
			t.Fatalf("%s:%d: %q is no step", path, line, text)
		}
		sc.steps = append(sc.steps, scenarioStep{
			line: line, who: words[0], verb: words[1], args: words[2:], outcome: strings.TrimSpace(outcome),
		})
	}
	if err := in.Err(); err != nil {
		t.Fatal(err)
	}
	return sc
}

// split gives the words of a line; a word in quotes may hold spaces, or nothing.
func split(text string) (words []string) {
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		if quoted, err := strconv.QuotedPrefix(text); err == nil {
			word, _ := strconv.Unquote(quoted) // it is a good one
			words, text = append(words, word), text[len(quoted):]
			continue
		}
		word, rest, _ := strings.Cut(text, " ")
		words, text = append(words, word), rest
	}
	return words
}

// parseWait reads a time such as 90s or 7d.
func parseWait(t *testing.T, text string) time.Duration {
	t.Helper()
	unit := time.Duration(1)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		text, unit = days+"h", 24
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d * unit
}

func play(t *testing.T, sc scenario, on stage) {
	p := &player{t: t, on: on, actors: make(map[string]*actor)}
	for _, p.step = range sc.steps {
		p.carryOut(p.step)
		p.settle()
		if t.Failed() {
			break
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.actors)) {
		if a := p.actors[name]; len(a.others) > 0 {
			t.Errorf("%s was told what the script does not say: %s %s", name, a.others[0].user, a.others[0].text)
		}
	}
	on.act(&actor{name: "server"}, scenarioStep{who: "server", verb: "stop"})
}

// actor gives a device by its name, "alice" or "alice.phone".
func (p *player) actor(name string) *actor {
	a := p.actors[name]
	if a == nil {
		user, _, _ := strings.Cut(name, ".")
		a = &actor{name: name, user: im.UserID(user), last: make(map[string]toldStatus)}
		p.actors[name] = a
	}
	return a
}

func (p *player) carryOut(step scenarioStep) {
	p.t.Helper()
	switch {
	case step.who == "wait":
		time.Sleep(parseWait(p.t, step.verb))
		return
	case step.verb == "sees":
		p.sees(p.actor(step.who), step.args)
		return
	case step.verb == "login" || step.verb == "return":
		p.actor(step.who).last = make(map[string]toldStatus) // what surely came is told again at a return
	}
	want := step.outcome
	if want == "" {
		want = "ok"
	}
	if got := p.on.act(p.actor(step.who), step); got != want {
		p.t.Errorf("%s: got %q, want %q", step, got, want)
	}
}

// sees checks the next notice of a user against the script.
func (p *player) sees(a *actor, args []string) {
	p.t.Helper()
	if args[0] == "nothing" {
		if len(a.others) > 0 {
			p.t.Errorf("%s: told %s %s", p.step, a.others[0].user, a.others[0].text)
		}
		return
	}
	queue := &a.others
	if args[0] == string(a.user) {
		queue = &a.own
	}
	want := strings.Join(args[1:], " ")
	i := slices.IndexFunc(*queue, func(s toldStatus) bool { return s.user == args[0] })
	switch {
	case i < 0:
		p.t.Errorf("%s: told nothing of %s", p.step, args[0])
	case (*queue)[i].text != want:
		p.t.Errorf("%s: told %s", p.step, (*queue)[i].text)
	default:
		*queue = slices.Delete(*queue, i, i+1)
	}
}

// settle waits until all is at rest and takes what the devices were told.
func (p *player) settle() {
	p.t.Helper()
	synctest.Wait()
	time.Sleep(time.Millisecond) // flushers have their turn
	synctest.Wait()
	for _, a := range p.actors {
		for _, s := range p.on.told(a) {
			p.judge(a, s)
			if s.user == string(a.user) {
				a.own = append(a.own, s)
			} else {
				a.others = append(a.others, s)
			}
		}
	}
}

// judge holds what is true of every notice. [ST13] [ST17]
func (p *player) judge(a *actor, s toldStatus) {
	p.t.Helper()
	last, before := a.last[s.user]
	a.last[s.user] = s
	if before && s.version.Less(last.version) {
		p.t.Errorf("%s: %s was told version %v of %s after %v", p.step, a.name, s.version, s.user, last.version)
	}
	if before && s.text == last.text {
		p.t.Errorf("%s: %s was told twice in a row that %s is %s", p.step, a.name, s.user, s.text)
	}
}

// platformNumbers are the numbers of the head for the platforms of a script.
var platformNumbers = map[string]int{
	"web": 7, "miniprogram": 10, "uniapp": 15, "reactnative": 21,
	"windows": 1, "android": 2, "iphone": 3, "mac": 4, "linux": 6, "ipad": 13,
}

// lifeOf gives how long the UserSig of a login is good.
func lifeOf(t *testing.T, args []string) time.Duration {
	t.Helper()
	if len(args) == 3 && args[1] == "for" {
		return parseWait(t, args[2])
	}
	return 180 * 24 * time.Hour
}

// downtime gives for how long nobody serves at a restart.
func downtime(t *testing.T, args []string) time.Duration {
	t.Helper()
	if len(args) == 2 && args[0] == "for" {
		return parseWait(t, args[1])
	}
	return 0
}

// outcomeOf gives the code of an error, "ok" for none.
func outcomeOf(err error) string {
	if err == nil {
		return "ok"
	}
	refusal, _ := im.Refusal(err)
	return strconv.Itoa(int(refusal.Code))
}
