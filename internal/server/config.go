package server

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/porchlight-im/porchlight/internal/gateway"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
	"github.com/porchlight-im/porchlight/internal/webhook"
)

// Config is all that can be set. Each value has a key path, its yaml names
// joined by dots, under which it stands in the configuration file, on the
// command line as -set path=value, and in the environment as PORCHLIGHT_ and
// the path in capitals with dots as underscores. The command line goes over the
// environment, that over the file, and that over the defaults.
type Config struct {
	Listen   string         `yaml:"listen"` // address of the one port; port 0 takes a free one
	Data     string         `yaml:"data"`   // directory of everything that is kept
	Log      LogConfig      `yaml:"log"`
	Operator OperatorConfig `yaml:"operator"`
	Gateway  GatewayConfig  `yaml:"gateway"`
	REST     RESTConfig     `yaml:"rest"`
	Limits   LimitsConfig   `yaml:"limits"`
	Grace    GraceConfig    `yaml:"grace"`
	Status   StatusConfig   `yaml:"status"`
	Store    StoreConfig    `yaml:"store"`
	Webhook  WebhookConfig  `yaml:"webhook"`
}

// LogConfig says how to log to standard error.
type LogConfig struct {
	Level  string `yaml:"level"`  // debug, info, warn or error
	Format string `yaml:"format"` // text or json
}

// OperatorConfig is about the operator's side.
type OperatorConfig struct {
	// address of a listener of the operator's own, out of clients' reach: the API,
	// which asks for the token, and metrics and profiles, which do not; empty for
	// none, so that the API is on the one port
	Listen string `yaml:"listen"`
}

// GatewayConfig is about sockets.
type GatewayConfig struct {
	Origins []string      `yaml:"origins"` // exact Origin values let in; empty lets in all
	Hello   time.Duration `yaml:"hello"`   // how often clients say hello, which is how they notice a server that is back
	Ping    time.Duration `yaml:"ping"`    // between WebSocket pings
	Tick    time.Duration `yaml:"tick"`    // between frames about others, after burst of them
	Burst   int           `yaml:"burst"`   // frames about others at once
	// addresses and CIDRs of reverse proxies whose X-Forwarded-For is believed: the
	// address of a client, by which some limits count, is the last one there that
	// is no proxy's. To clients of a proxy that does not say it those limits do not
	// apply, as all of them would share one: let your proxy set or extend the
	// header. With [] nobody is a proxy
	Proxies []string `yaml:"proxies"`
}

// LimitsConfig bounds what clients may do and cost. A limit of 0 is the default;
// a very large one is none.
type LimitsConfig struct {
	PreLogin       time.Duration `yaml:"prelogin"`        // to send a first good frame
	DeadWeb        time.Duration `yaml:"dead_web"`        // silence after which a web client is lost
	DeadNative     time.Duration `yaml:"dead_native"`     // the same for native clients
	KickLinger     time.Duration `yaml:"kick_linger"`     // a kicked session's socket waits for its logout
	Write          time.Duration `yaml:"write"`           // to write to a stalled reader
	CommandTimeout time.Duration `yaml:"command_timeout"` // to carry out a command
	TokenSkew      time.Duration `yaml:"token_skew"`      // how far ahead a UserSig may be dated
	TokenBytes     int           `yaml:"token_bytes"`     // a UserSig as it is sent
	TokenInflated  int           `yaml:"token_inflated"`  // the same, inflated
	FrameBytes     int           `yaml:"frame_bytes"`     // a message from a client
	FrameDepth     int           `yaml:"frame_depth"`     // nesting of its JSON
	QueueBytes     int           `yaml:"queue_bytes"`     // what may wait for one connection
	QueueFrames    int           `yaml:"queue_frames"`    // the same in frames
	PushItems      int           `yaml:"push_items"`      // statuses in one frame
	Sockets        int           `yaml:"sockets"`         // connections in all
	CommandRate    float64       `yaml:"command_rate"`    // commands a second of one connection
	CommandBurst   int           `yaml:"command_burst"`   // commands at once
	DrainFor       time.Duration `yaml:"drain_for"`       // to close all connections at the end

	// commands of one connection over the rate, each refused with code -10113 and
	// counted in porchlight_limited_total as "connection", after which it is closed
	// with 1008 and counted in porchlight_dropped_total as "commands"
	CommandRefusals int `yaml:"command_refusals"`
	// sockets without a session, never logged in or logged out, in all; beyond it
	// the oldest of them is closed with 1013 and counted in porchlight_dropped_total
	// as "prelogin_sockets". Where the limit on open files bounds the connections,
	// at most nine tenths of them
	PreLoginSockets int `yaml:"prelogin_sockets"`
	// the same of one address (gateway.proxies), of IPv6 one /64, counted as
	// "prelogin_address". Raise it where more pages than that are open without a
	// login behind one address: each that is closed comes back and pushes out
	// another
	PreLoginAddress int `yaml:"prelogin_address"`
	// failed verifications of UserSigs of one user from one address in a window;
	// until it is over all logins of that user from there are refused with code
	// 70050 and counted in porchlight_limited_total as "verifications"
	VerifyFailures int `yaml:"verify_failures"`
	// the same of all users of an application from one address, counted as
	// "verifications_peer"
	VerifyFailuresPeer int `yaml:"verify_failures_peer"`
	// how long such a window is, from the first failure on
	VerifyWindow time.Duration `yaml:"verify_window"`
	// logins by UserSig and logouts of one user in a window; until it is over more
	// logins are refused with code 72010 and counted in porchlight_limited_total as
	// "logins"
	UserLogins int `yaml:"user_logins"`
	// how long such a window is, from the first login or logout on
	UserLoginsWindow time.Duration `yaml:"user_logins_window"`
}

// RESTConfig is about the API that back ends call. A limit of 0 is the default.
type RESTConfig struct {
	Timeout      time.Duration `yaml:"timeout"`       // to carry out a request once it has arrived; beyond it code 60008
	BodyTimeout  time.Duration `yaml:"body_timeout"`  // for the body of a request to arrive
	BodyBytes    int           `yaml:"body_bytes"`    // a body; a longer one is refused with code 80002
	MessageBytes int           `yaml:"message_bytes"` // the same of commands that send messages
	Accounts     int           `yaml:"accounts"`      // accounts in one call about accounts
	Query        int           `yaml:"query"`         // accounts in one query_online_status
	// calls a second of commands, in place of the rates in docs/rest.md, such as
	// openim/query_online_status=400; they hold for applications whose setting
	// rest.limited is on, each by itself
	Rates []string `yaml:"rates"`
	// addresses and CIDRs that back ends call from, found as gateway.proxies says;
	// calls from others are refused with code 60021. Empty lets in all
	Allow     []string `yaml:"allow"`
	Addresses []string `yaml:"addresses"`  // what GetIPList tells; empty for the addresses that the server listens on
	CORS      bool     `yaml:"cors"`       // pages of every origin may read the answers, as with the original
	AccessLog bool     `yaml:"access_log"` // each request is logged, without its query string and body
}

// GraceConfig is how long a user is still what they were, by how a session or
// its socket ended.
type GraceConfig struct {
	Close   time.Duration `yaml:"close"`   // the socket broke without a close frame, or the client replaced it
	Left    time.Duration `yaml:"left"`    // the client closed the socket: a page closed or left
	Silence time.Duration `yaml:"silence"` // nothing was heard for too long
	Logout  time.Duration `yaml:"logout"`  // the user logged out
	Kick    time.Duration `yaml:"kick"`    // another login or an administrator ended the session
	Expiry  time.Duration `yaml:"expiry"`  // the UserSig expired or its key was withdrawn
	Node    time.Duration `yaml:"node"`    // the server restarted
}

// StatusConfig is about user status.
type StatusConfig struct {
	PushReachable  time.Duration `yaml:"push_reachable"`  // OFFLINE for so long, then UNLOGINED
	WatchRetention time.Duration `yaml:"watch_retention"` // a subscription list outlives its owner's presence by this
}

// StoreConfig is about the database.
type StoreConfig struct {
	// address of a PostgreSQL database, 14 or newer, that this server alone uses:
	// postgres://user@host/database?sslmode=verify-full; empty for SQLite in the data
	// directory. A password is better kept out of it: PGPASSWORD and ~/.pgpass are read
	DSN           string        `yaml:"dsn"`
	Gather        time.Duration `yaml:"gather"`         // a commit waits at most this long for others to share it, a fifth of it for the next
	KeepClosedFor time.Duration `yaml:"keep_closed"`    // sessions that ended are kept, to tell them why
	PurgeEvery    time.Duration `yaml:"purge_interval"` // between the removals of what is kept no longer
}

// WebhookConfig is about telling applications' back ends. What an application is
// told, and where, is set of each: porchlight webhook.
type WebhookConfig struct {
	// addresses and CIDRs that webhooks may reach although they are not on the
	// Internet, such as 127.0.0.1 or 10.0.0.0/8; all others of that kind are refused
	// whatever name leads there, and counted as "forbidden_address"
	Allow       []string      `yaml:"allow"`
	Timeout     time.Duration `yaml:"timeout"`      // for a back end to answer
	QueueEvents int           `yaml:"queue_events"` // events for one URL that wait in memory; the oldest make room
	Keep        time.Duration `yaml:"keep"`         // kept events, delivered or not
	KeepEvents  int           `yaml:"keep_events"`  // the same, in events of one application
}

// DefaultConfig gives the defaults.
func DefaultConfig() Config {
	return Config{
		Listen: "127.0.0.1:7800",
		Data:   "porchlight-data",
		Log:    LogConfig{Level: "info", Format: "text"},
		Gateway: GatewayConfig{
			Hello: im.HelloInterval, Ping: im.PingInterval, Tick: im.PushTick, Burst: im.PushBurst,
			Proxies: []string{"127.0.0.0/8", "::1/128"},
		},
		REST: RESTConfig{
			Timeout: im.RESTTimeout, BodyTimeout: im.RESTBody, BodyBytes: im.MaxRESTBytes, MessageBytes: im.MaxRESTMessage,
			Accounts: im.MaxRESTAccounts, Query: im.MaxQuery, CORS: true, AccessLog: true,
		},
		Limits: LimitsConfig{
			PreLogin: im.PreLogin, DeadWeb: im.DeadWeb, DeadNative: im.DeadNative, KickLinger: im.KickLinger,
			Write: im.WriteDeadline, CommandTimeout: im.CommandTimeout, TokenSkew: im.TokenSkew,
			TokenBytes: im.MaxTokenBytes, TokenInflated: im.MaxTokenInflated,
			FrameBytes: im.MaxFrameBytes, FrameDepth: im.MaxFrameDepth, QueueBytes: im.MaxQueueBytes, QueueFrames: im.MaxQueueFrames,
			PushItems: im.MaxPushItems, Sockets: im.MaxSockets,
			CommandRate: im.CommandRate, CommandBurst: im.CommandBurst, DrainFor: im.DrainFor,
			CommandRefusals: im.MaxRefusals, PreLoginSockets: im.MaxPreLogin, PreLoginAddress: im.MaxPreLoginAddress,
			VerifyFailures: im.MaxVerifyFailures, VerifyFailuresPeer: im.MaxVerifyFailuresPeer, VerifyWindow: im.VerifyWindow,
			UserLogins: im.MaxUserLogins, UserLoginsWindow: im.LoginsWindow,
		},
		Grace:  GraceConfig{Close: im.GraceBreak, Node: im.GraceNode},
		Status: StatusConfig{PushReachable: im.PushReachable, WatchRetention: im.WatchRetention},
		Store:  StoreConfig{Gather: im.CommitGather, KeepClosedFor: im.KeepClosed, PurgeEvery: time.Hour},
		Webhook: WebhookConfig{
			Timeout: im.WebhookTimeout, QueueEvents: im.MaxWebhookQueue, Keep: im.WebhookKeep, KeepEvents: im.MaxWebhookKept,
		},
	}
}

// LoadConfig gives the defaults with a file, if path is not empty, the
// environment, as os.Environ gives it, and settings of the form path=value laid
// over them, in that order. A key that does not exist is an error that names
// it.
func LoadConfig(path string, environ, sets []string) (Config, error) {
	cfg := DefaultConfig()
	if path != "" {
		text, err := os.ReadFile(path) //nolint:gosec // G304: the operator names the file
		if err != nil {
			return cfg, fmt.Errorf("read configuration: %w", err)
		}
		if err := decode(text, &cfg); err != nil {
			return cfg, fmt.Errorf("configuration %s: %w", path, err)
		}
	}
	names := make(map[string]string)
	paths(reflect.TypeOf(cfg), "", names)
	for _, env := range environ {
		name, value, _ := strings.Cut(env, "=")
		key, ok := names[name]
		if !ok {
			continue
		}
		if err := set(&cfg, key, value); err != nil {
			return cfg, fmt.Errorf("environment %s: %w", name, err)
		}
	}
	for _, s := range sets {
		key, value, ok := strings.Cut(s, "=")
		if !ok || strings.TrimSpace(value) == "" {
			return cfg, fmt.Errorf("-set %s: want key.path=value, and \"\" for an empty text", key)
		}
		if err := set(&cfg, key, value); err != nil {
			return cfg, fmt.Errorf("-set %s: %w", key, err)
		}
	}
	return cfg, cfg.check()
}

// decode lays YAML over cfg. Unknown keys are errors, with their line.
func decode(text []byte, cfg *Config) error {
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	err := d.Decode(cfg)
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	case !errors.Is(d.Decode(new(yaml.Node)), io.EOF):
		return errors.New("want one YAML document, with nothing after it")
	}
	return nil
}

// What a key path consists of, and what ends a line of YAML.
const (
	pathBytes  = "abcdefghijklmnopqrstuvwxyz_."
	lineBreaks = "\n\r\u0085\u2028\u2029"
)

// set lays one value over cfg, as a document that holds nothing else.
func set(cfg *Config, path, value string) error {
	if strings.Trim(path, pathBytes) != "" || strings.ContainsAny(value, lineBreaks) {
		return errors.New("not a key path and a value on one line")
	}
	var doc strings.Builder
	for depth, name := range strings.Split(path, ".") {
		if depth > 0 {
			doc.WriteString("\n" + strings.Repeat(" ", depth))
		}
		doc.WriteString(name + ":")
	}
	doc.WriteString(" " + value + "\n")
	return decode([]byte(doc.String()), cfg)
}

// paths finds the key path of every environment variable's name.
func paths(t reflect.Type, prefix string, names map[string]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		path := prefix + f.Tag.Get("yaml")
		if f.Type.Kind() == reflect.Struct {
			paths(f.Type, path+".", names)
			continue
		}
		names["PORCHLIGHT_"+strings.ToUpper(strings.ReplaceAll(path, ".", "_"))] = path
	}
}

// check refuses values that no server can run with.
func (c Config) check() error {
	ping := cmp.Or(c.Gateway.Ping, im.PingInterval)
	deadWeb, deadNative := cmp.Or(c.Limits.DeadWeb, im.DeadWeb), cmp.Or(c.Limits.DeadNative, im.DeadNative)
	switch {
	case c.Data == "":
		return errors.New("data: a directory is needed")
	case c.Log.Format != "text" && c.Log.Format != "json":
		return fmt.Errorf("log.format: %q is neither text nor json", c.Log.Format)
	case ping >= deadWeb:
		return fmt.Errorf("gateway.ping: %s is not shorter than limits.dead_web, %s", ping, deadWeb)
	case ping >= deadNative:
		return fmt.Errorf("gateway.ping: %s is not shorter than limits.dead_native, %s", ping, deadNative)
	case c.Gateway.Hello < time.Second:
		return fmt.Errorf("gateway.hello: %s is under a second", c.Gateway.Hello)
	}
	if _, err := webhook.ParseNets(c.Webhook.Allow); err != nil {
		return fmt.Errorf("webhook.allow: %w", err)
	}
	if _, err := gateway.ParseProxies(c.Gateway.Proxies); err != nil {
		return fmt.Errorf("gateway.proxies: %w", err)
	}
	if err := store.CheckDSN(c.Store.DSN); err != nil {
		return fmt.Errorf("store.dsn: %w", err)
	}
	if _, err := gateway.ParseProxies(c.REST.Allow); err != nil {
		return fmt.Errorf("rest.allow: %w", err)
	}
	if _, err := c.REST.rates(); err != nil {
		return fmt.Errorf("rest.rates: %w", err)
	}
	return negative(reflect.ValueOf(c), "")
}

// negative refuses values below zero, and numbers that are none.
func negative(v reflect.Value, prefix string) error {
	for i := range v.NumField() {
		f, path := v.Field(i), prefix+v.Type().Field(i).Tag.Get("yaml")
		var err error
		switch {
		case f.Kind() == reflect.Struct:
			err = negative(f, path+".")
		case f.CanInt() && f.Int() < 0, f.CanFloat() && f.Float() < 0:
			err = fmt.Errorf("%s: %v is below zero", path, f)
		case f.CanFloat() && (math.IsNaN(f.Float()) || math.IsInf(f.Float(), 0)):
			err = fmt.Errorf("%s: %v is no number", path, f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
