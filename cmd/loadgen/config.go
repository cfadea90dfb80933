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
	Timeout  time.Duration // for a phase other than the idle one
	PID      int           // the server's process, 0 for none
	PerProc  int           // sessions that one process may hold
	JSON     bool
}

// secretEnv is where the key may stand, since every user of the machine can read
// a command line.
const secretEnv = "PORCHLIGHT_SECRET_KEY" //nolint:gosec // G101: a name

// parseConfig reads the command line. What it refuses it explains.
func parseConfig(args []string, stderr io.Writer) (config, error) {
	var cfg config
	flags := flag.NewFlagSet("loadgen", flag.ContinueOnError)
	flags.SetOutput(stderr)
	server := flags.String("server", "ws://127.0.0.1:7800", "`address` of the server; loopback only")
	app := flags.Uint64("appid", 0, "SDKAppID to log in to")
	dev := flags.String("dev", "", "the `file` dev.json of a server started with -dev, in place of -server, -appid and -secret")
	flags.StringVar(&cfg.Secret, "secret", "", "secret key of that application; better in the environment as "+secretEnv)
	flags.StringVar(&cfg.Users, "users", "load", "user IDs are this `prefix` and a number")
	flags.IntVar(&cfg.Sessions, "n", 5000, "sessions to open")
	flags.IntVar(&cfg.Watch, "watch", 0, "others that each session watches, `K` of them")
	flags.DurationVar(&cfg.Hold, "hold", 30*time.Second, "how long the sessions idle")
	flags.BoolVar(&cfg.Hello, "hello", false, "send wshello as often as the server asks for, as the official client does")
	flags.IntVar(&cfg.InFlight, "inflight", 64, "sessions that log in at the same time")
	flags.Float64Var(&cfg.Rate, "rate", 0, "logins begun each second; 0 for as many as -inflight lets")
	flags.DurationVar(&cfg.Timeout, "timeout", 2*time.Minute, "for each phase other than the idle one")
	flags.IntVar(&cfg.PID, "pid", 0, "the server's process, to measure its memory and processor time")
	flags.IntVar(&cfg.PerProc, "per-process", 0, "sessions that one process holds; 0 for as many as its descriptors allow")
	flags.BoolVar(&cfg.JSON, "json", false, "report as JSON")
	if err := flags.Parse(args); err != nil {
		return cfg, err
	}
	if flags.NArg() > 0 {
		return cfg, fmt.Errorf("%q is no option; see -help", flags.Arg(0))
	}
	cfg.App = im.AppID(*app)
	if cfg.Secret == "" {
		cfg.Secret = os.Getenv(secretEnv)
	}
	if *dev != "" {
		if err := cfg.readDev(*dev, server); err != nil {
			return cfg, err
		}
	}
	var err error
	if cfg.Server, err = loopback(*server); err != nil {
		return cfg, err
	}
	if cfg.PerProc == 0 {
		cfg.PerProc = sessionsPerProcess()
	}
	return cfg, cfg.check()
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
	}
	return nil
}

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
