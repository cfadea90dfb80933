package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// config is what one run was asked to do. It travels to the workers as JSON, so
// that the secret stands on no command line but the one a person typed.
type config struct {
	Server   netip.AddrPort
	App      im.AppID
	Secret   string
	Users    string        // user IDs are this and a number
	Sessions int           // in all
	Watch    int           // others that each session watches
	Hold     time.Duration // how long the sessions idle
	Hello    bool          // send wshello as the official client does
	InFlight int           // sessions at work at a time, in all
	Rate     float64       // sessions begun each second, in all; 0 for no limit
	Timeout  time.Duration // for a phase, beside the time that it takes by itself
	PID      int           // the server's process, 0 for none
	PerProc  int           // sessions that one process may hold
	JSON     bool

	Relogin      bool          // close all sockets and log in anew
	Changes      float64       // status changes a second, of all sessions; 0 for none
	For          time.Duration // how long they go on
	Burst        int           // sessions that change at one moment; 0 for none
	Bursts       int           // how often they do
	BurstPause   time.Duration // from one burst to the next
	Storm        int           // sessions whose sockets are cut at one moment; 0 for none
	Storms       int           // how often that happens
	StormChanges bool          // Changes go on meanwhile
	ReturnDelay  time.Duration // who was cut returns within it, at random

	REST  string // the command of the REST API to call, in place of sessions
	Asked int    // accounts in each such call

	Settings string   // the command line, without the secret
	Compare  []string // two reports to compare, in place of a run
}

// commandLine is what the flags say, before it is made sense of.
type commandLine struct {
	config
	flags      *flag.FlagSet
	server     string
	dev        string
	app        uint64
	deliveries float64
	compare    bool
}

// parseConfig reads the command line. What it refuses it explains.
func parseConfig(args []string, stderr io.Writer) (config, error) {
	c := commandLine{flags: flag.NewFlagSet("loadgen", flag.ContinueOnError)}
	c.flags.SetOutput(stderr)
	c.flags.Usage = func() { usage(c.flags) }
	c.declareSessions()
	c.declareLoads()
	if err := c.flags.Parse(args); err != nil {
		return c.config, err
	}
	if c.compare {
		return c.config, c.takeReports()
	}
	if c.flags.NArg() > 0 {
		return c.config, fmt.Errorf("%q is no option; see -help", c.flags.Arg(0))
	}
	return c.config, c.resolve()
}

// declareSessions declares the options about the server and its sessions.
func (c *commandLine) declareSessions() {
	f := c.flags
	f.StringVar(&c.server, "server", "ws://127.0.0.1:7800", "`address` of the server; loopback only")
	f.Uint64Var(&c.app, "appid", 0, "SDKAppID to log in to")
	f.StringVar(&c.dev, "dev", "", "the `file` dev.json of a server started with -dev, in place of -server, -appid and -secret")
	f.StringVar(&c.Secret, "secret", "", "secret key of that application; better in the environment as "+secretEnv)
	f.StringVar(&c.Users, "users", "load", "user IDs are this `prefix` and a number")
	f.IntVar(&c.Sessions, "n", 5000, "sessions to open, `N` of them")
	f.IntVar(&c.Watch, "watch", 0, "others that each session watches, `K` of them")
	f.DurationVar(&c.Hold, "hold", 30*time.Second, "how long the sessions idle; where a load is asked for, not at all unless this is given")
	f.BoolVar(&c.Hello, "hello", false, "send wshello as often as the server asks for, as the official client does")
	f.IntVar(&c.InFlight, "inflight", 64, "sessions that log in, subscribe or query at the same time")
	f.Float64Var(&c.Rate, "rate", 0, "logins begun each second; 0 for as many as -inflight lets")
	f.DurationVar(&c.Timeout, "timeout", 2*time.Minute, "for each phase, beside the time that it takes by itself")
	f.IntVar(&c.PID, "pid", 0, "the server's process, to measure its memory and processor time")
	f.IntVar(&c.PerProc, "per-process", 0, "sessions that one process holds; 0 for as many as its descriptors allow")
	f.BoolVar(&c.JSON, "json", false, "report as JSON")
	f.BoolVar(&c.compare, "compare", false, "compare two JSON reports: -compare a.json b.json")
}

// declareLoads declares the options about what the sessions do.
func (c *commandLine) declareLoads() {
	f := c.flags
	f.BoolVar(&c.Relogin, "relogin", false, "after subscribing, close all sockets as a page does that is left, and log in anew")
	f.Float64Var(&c.Changes, "changes", 0, "status changes a second, of all sessions, paced evenly")
	f.Float64Var(&c.deliveries, "deliveries", 0, "the same, counted by who is told: each change is told to K others")
	f.DurationVar(&c.For, "for", 10*time.Second, "how long -changes or -deliveries go on")
	f.IntVar(&c.Burst, "burst", 0, "`sessions` that change their status at the same moment")
	f.IntVar(&c.Bursts, "bursts", 1, "how often that happens")
	f.DurationVar(&c.BurstPause, "burst-pause", 2*time.Second, "from one burst to the next")
	f.IntVar(&c.Storm, "storm", 0, "`sessions` whose sockets are cut at one moment, without a close frame, and which return")
	f.IntVar(&c.Storms, "storms", 1, "how often that happens")
	f.BoolVar(&c.StormChanges, "storm-changes", false, "who is connected goes on with -changes or -deliveries during a storm")
	f.StringVar(&c.REST, "rest", "", "after importing -n accounts call this `command` of the REST API on -inflight connections for -for")
	f.IntVar(&c.Asked, "accounts", 1, "accounts in each call of -rest")
	f.DurationVar(&c.ReturnDelay, "return-delay", 0, "returns are spread over it at random; the server's grace is 5s by default")
}

// takeReports takes the names of the reports to compare. Options may follow them.
func (c *commandLine) takeReports() error {
	if c.flags.NArg() < 2 {
		return errors.New("-compare takes two files: -compare a.json b.json")
	}
	names, rest := c.flags.Args()[:2], c.flags.Args()[2:]
	if err := c.flags.Parse(rest); err != nil {
		return err
	}
	if c.flags.NArg() > 0 {
		return fmt.Errorf("-compare takes two files, and %q is one more", c.flags.Arg(0))
	}
	c.Compare = names
	return nil
}

// resolve makes a run of what was said, and checks it.
func (c *commandLine) resolve() error {
	c.App = im.AppID(c.app)
	if c.Secret == "" {
		c.Secret = os.Getenv(secretEnv)
	}
	if c.dev != "" {
		if err := c.readDev(c.dev, &c.server); err != nil {
			return err
		}
	}
	var err error
	if c.Server, err = loopback(c.server); err != nil {
		return err
	}
	if c.PerProc == 0 {
		c.PerProc = sessionsPerProcess()
	}
	given := c.given()
	if c.deliveries != 0 {
		if given["changes"] || c.Watch < 1 {
			return errors.New("-deliveries needs -watch, and takes the place of -changes")
		}
		c.Changes = c.deliveries / float64(c.Watch)
	}
	if c.loaded() && !given["hold"] {
		c.Hold = 0
	}
	return c.check()
}

// given says which options the command line holds, and keeps their text for the
// report.
func (c *commandLine) given() map[string]bool {
	given := map[string]bool{}
	var words []string
	c.flags.Visit(func(f *flag.Flag) {
		given[f.Name] = true
		switch text := f.Value.String(); {
		case f.Name == "secret" || f.Name == "json":
		case text == "true":
			words = append(words, "-"+f.Name)
		default:
			words = append(words, "-"+f.Name+" "+text)
		}
	})
	c.Settings = strings.Join(words, " ")
	return given
}

// readDev takes over what dev.json says of its server.
func (c *config) readDev(file string, server *string) error {
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		file = filepath.Join(file, "dev.json")
	}
	text, err := os.ReadFile(file) //nolint:gosec // G304: whoever runs this names the file
	if err != nil {
		return fmt.Errorf("read what the server wrote with -dev: %w", err)
	}
	var dev struct {
		WS        string   `json:"ws"`
		SDKAppID  im.AppID `json:"sdkAppID"`
		SecretKey string   `json:"secretKey"`
	}
	if err := json.Unmarshal(text, &dev); err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	*server, c.App, c.Secret = dev.WS, dev.SDKAppID, dev.SecretKey
	return nil
}

var plainPrefix = regexp.MustCompile(`^[A-Za-z0-9_-]{1,20}$`)

// maxEach is how many changes a second one session is asked for: a server may
// take 50 commands a second of one connection.
const maxEach = 40

func (c *config) check() error {
	switch {
	case c.App == 0 || c.Secret == "":
		return errors.New("which application? Give -dev DIR/dev.json, or -appid and -secret")
	case c.Sessions < 1 || c.Sessions > 1_000_000:
		return errors.New("-n is from 1 to 1,000,000")
	case c.Watch < 0 || c.Watch > im.MaxSubscribed || c.Watch >= c.Sessions && c.Watch > 0:
		return fmt.Errorf("-watch is from 0 to %d, and less than -n", im.MaxSubscribed)
	case c.Hold < 0 || c.Hold > 24*time.Hour || c.Timeout <= 0 || c.Timeout > time.Hour:
		return errors.New("-hold is at most 24h and -timeout at most 1h")
	case c.InFlight < 1 || c.Rate < 0:
		return errors.New("-inflight is at least 1 and -rate at least 0")
	case !plainPrefix.MatchString(c.Users):
		return errors.New("-users takes 1 to 20 letters, digits, _ and -")
	case c.PerProc < 1:
		return errors.New("-per-process is at least 1")
	case c.REST != "":
		return c.checkREST()
	}
	return c.checkLoads()
}

func (c *config) checkLoads() error {
	switch {
	case c.Changes < 0 || c.Changes > maxEach*float64(c.Sessions):
		return fmt.Errorf("-changes is from 0 to %d a second for each session, and -deliveries that times K", maxEach)
	case c.For < 0 || c.For > time.Hour:
		return errors.New("-for is from 0 to 1h")
	case c.Burst < 0 || c.Burst > c.Sessions || c.Storm < 0 || c.Storm > c.Sessions:
		return errors.New("-burst and -storm are from 0 to -n")
	case c.Bursts < 1 || c.Bursts > 1000 || c.Storms < 1 || c.Storms > 1000:
		return errors.New("-bursts and -storms are from 1 to 1000")
	case c.BurstPause < 100*time.Millisecond || c.BurstPause > time.Minute:
		return errors.New("-burst-pause is from 100ms to 1m")
	case c.StormChanges && (c.Storm == 0 || c.Changes == 0):
		return errors.New("-storm-changes needs -storm, and -changes or -deliveries")
	case c.ReturnDelay < 0 || c.ReturnDelay > time.Minute:
		return errors.New("-return-delay is from 0 to 1m")
	}
	return nil
}

// loaded reports whether the sessions are to do anything but idle.
func (c *config) loaded() bool { return c.Relogin || c.Changes > 0 || c.Burst > 0 || c.Storm > 0 }

// user names the session of a number.
func (c *config) user(i int) im.UserID {
	return im.UserID(fmt.Sprintf("%s%06d", c.Users, i))
}

// loopback reads a server's address and refuses every one that leads off this
// machine: a load generator is not to be pointed at others.
func loopback(address string) (netip.AddrPort, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "ws" || u.Path != "" && u.Path != "/" {
		return netip.AddrPort{}, fmt.Errorf("-server %q is not of the form ws://127.0.0.1:7800", address)
	}
	host, port := u.Hostname(), u.Port()
	if host == "localhost" {
		host = "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !ip.Unmap().IsLoopback() {
		return netip.AddrPort{}, fmt.Errorf("-server %q is not a loopback address: loadgen loads nothing but this machine", address)
	}
	if port == "" {
		port = "80"
	}
	at, err := netip.ParseAddrPort(netip.AddrPortFrom(ip.Unmap(), 0).Addr().String() + ":" + port)
	if ip.Unmap().Is6() {
		at, err = netip.ParseAddrPort("[" + ip.String() + "]:" + port)
	}
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("-server %q: %w", address, err)
	}
	return at, nil
}
