package server_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/server"
)

// file writes a configuration file.
func file(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "porchlight.yaml")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// mustLoad loads a configuration that is good.
func mustLoad(t *testing.T, path string, environ, sets []string) server.Config {
	t.Helper()
	cfg, err := server.LoadConfig(path, environ, sets)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestWithoutSettingsThereAreTheDefaults(t *testing.T) {
	for name, path := range map[string]string{
		"no file":            "",
		"an empty file":      file(t),
		"comments alone":     file(t, "# nothing", "---", "# nothing"),
		"keys without value": file(t, "listen:", "gateway:", "  hello:"),
	} {
		if diff := cmp.Diff(server.DefaultConfig(), mustLoad(t, path, nil, nil)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

func TestCommandLineGoesOverEnvironmentOverFileOverDefaults(t *testing.T) {
	path := file(t, "grace: { close: 1s, left: 1s, silence: 1s }", "gateway:", "  origins: [https://file, https://file2]", "operator: {listen: 127.0.0.1:1}")
	environ := []string{
		"HOME=/root", "PORCHLIGHT_GRACE_LEFT=2s", "PORCHLIGHT_GRACE_SILENCE=2s",
		"PORCHLIGHT_GATEWAY_ORIGINS=[https://env]", "PORCHLIGHT_LIMITS_COMMAND_RATE=2.5", "malformed",
	}
	sets := []string{"grace.silence=3s", "limits.push_items=3", "limits.push_items=4"}
	want := server.DefaultConfig()
	want.Grace.Close, want.Grace.Left, want.Grace.Silence = time.Second, 2*time.Second, 3*time.Second
	want.Gateway.Origins = []string{"https://env"}
	want.Operator.Listen = "127.0.0.1:1"
	want.Limits.CommandRate, want.Limits.PushItems = 2.5, 4
	if diff := cmp.Diff(want, mustLoad(t, path, environ, sets)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	got := mustLoad(t, path, environ, []string{"gateway.origins=[]", `operator.listen=""`})
	if len(got.Gateway.Origins) > 0 || got.Operator.Listen != "" {
		t.Errorf("emptied values are %q and %q", got.Gateway.Origins, got.Operator.Listen)
	}
}

// leaves calls f with the key path and the value of each setting.
func leaves(v reflect.Value, prefix string, f func(path string, v reflect.Value)) {
	for i := range v.NumField() {
		path := prefix + v.Type().Field(i).Tag.Get("yaml")
		if v.Field(i).Kind() == reflect.Struct {
			leaves(v.Field(i), path+".", f)
			continue
		}
		f(path, v.Field(i))
	}
}

// flat gives the settings by their key paths.
func flat(cfg server.Config) map[string]string {
	all := map[string]string{}
	leaves(reflect.ValueOf(cfg), "", func(path string, v reflect.Value) { all[path] = fmt.Sprintf("%#v", v) })
	return all
}

// TestEverySettingCanBeSetInThreeWays sets each one to a value of its own and
// sees that it alone changes.
func TestEverySettingCanBeSetInThreeWays(t *testing.T) {
	defaults := flat(server.DefaultConfig())
	if len(defaults) < 30 {
		t.Fatalf("only %d settings were found", len(defaults))
	}
	leaves(reflect.ValueOf(server.DefaultConfig()), "", func(path string, v reflect.Value) {
		value := map[reflect.Kind]string{
			reflect.String: "json", reflect.Slice: "[json]", reflect.Int: "77", reflect.Float64: "7.5", reflect.Int64: "26s",
		}[v.Kind()]
		switch {
		case v.Kind() == reflect.Bool:
			value = fmt.Sprint(!v.Bool())
		case path == "limits.prelogin" || value == "":
			value = "11s"
		case path == "gateway.proxies", path == "rest.allow", path == "webhook.allow":
			value = "[10.0.0.0/8]"
		case path == "rest.rates":
			value = "[openim/query_online_status=400]"
		case path == "store.dsn":
			value = "postgres://porchlight@db.example.com/porchlight"
		case path == "rest.rates":
			value = "[im_open_login_svc/kick=77]"
		}
		var doc strings.Builder
		names := strings.Split(path, ".")
		for depth, name := range names {
			doc.WriteString("\n" + strings.Repeat("  ", depth) + name + ":")
		}
		env := "PORCHLIGHT_" + strings.ToUpper(strings.Join(names, "_")) + "=" + value
		for way, cfg := range map[string]server.Config{
			"file":         mustLoad(t, file(t, doc.String()+" "+value), nil, nil),
			"environment":  mustLoad(t, "", []string{env}, nil),
			"command line": mustLoad(t, "", nil, []string{path + "=" + value}),
		} {
			for other, got := range flat(cfg) {
				if (got != defaults[other]) != (other == path) {
					t.Errorf("%s=%s by the %s: %s is %s, by default %s", path, value, way, other, got, defaults[other])
				}
			}
		}
	})
}

func TestValuesAsTheyAreWritten(t *testing.T) {
	for set, want := range map[string]func(*server.Config){
		"data=/var/lib/porchlight":                 func(c *server.Config) { c.Data = "/var/lib/porchlight" },
		`data="a directory: with #signs"`:          func(c *server.Config) { c.Data = "a directory: with #signs" },
		`data='it''s here'`:                        func(c *server.Config) { c.Data = "it's here" },
		"data=two words":                           func(c *server.Config) { c.Data = "two words" },
		`data="tab\tand A=b"`:                      func(c *server.Config) { c.Data = "tab\tand A=b" },
		"data= spaces around \t":                   func(c *server.Config) { c.Data = "spaces around" },
		"listen=[::1]:80":                          nil,
		`listen="[::1]:80"`:                        func(c *server.Config) { c.Listen = "[::1]:80" },
		"listen=:7800":                             func(c *server.Config) { c.Listen = ":7800" },
		"listen=7800":                              func(c *server.Config) { c.Listen = "7800" },
		"listen=true":                              func(c *server.Config) { c.Listen = "true" },
		"grace.close=1h2m3.5s":                     func(c *server.Config) { c.Grace.Close = time.Hour + 2*time.Minute + 3500*time.Millisecond },
		`grace.close="300ms"`:                      func(c *server.Config) { c.Grace.Close = 300 * time.Millisecond },
		"grace.close=0s":                           func(c *server.Config) { c.Grace.Close = 0 },
		"grace.close=0":                            nil, // a time has a unit
		"grace.close=5":                            nil,
		"grace.close=5d":                           nil,
		"grace.close=five":                         nil,
		"grace.close=[5s]":                         nil,
		"gateway.origins=[https://a.example]":      func(c *server.Config) { c.Gateway.Origins = []string{"https://a.example"} },
		`gateway.origins=[https://a, "null", 'b']`: func(c *server.Config) { c.Gateway.Origins = []string{"https://a", "null", "b"} },
		"gateway.origins=[]":                       func(c *server.Config) { c.Gateway.Origins = []string{} },
		"gateway.origins=https://a":                nil,
		"gateway.origins={a: b}":                   nil,
		"gateway.proxies=[]":                       func(c *server.Config) { c.Gateway.Proxies = []string{} },
		`gateway.proxies=[10.0.0.0/8, "::1"]`:      func(c *server.Config) { c.Gateway.Proxies = []string{"10.0.0.0/8", "::1"} },
		"gateway.proxies=10.0.0.0/8":               nil,
		"limits.sockets=5":                         func(c *server.Config) { c.Limits.Sockets = 5 },
		"limits.sockets=5s":                        nil,
		"limits.sockets=five":                      nil,
		`limits.sockets="5"`:                       nil,
		"limits.sockets=99999999999999999999":      nil,
		"limits.command_rate=0.5":                  func(c *server.Config) { c.Limits.CommandRate = 0.5 },
		"limits.command_rate=.nan":                 nil,
		"limits.command_rate=.inf":                 nil,
		"limits.command_rate=-.inf":                nil,
		"store.dsn=postgres://u:p%40@h:1/d?a=b":    func(c *server.Config) { c.Store.DSN = "postgres://u:p%40@h:1/d?a=b" },
		"store.dsn=postgresql:///d":                func(c *server.Config) { c.Store.DSN = "postgresql:///d" },
		"store.dsn=host=h user=u":                  nil,
		"store.dsn=mysql://h/d":                    nil,
		"log.format=xml":                           nil,
		"log.format=JSON":                          nil,
		"log.level=loud":                           func(c *server.Config) { c.Log.Level = "loud" }, // judged by who makes the log
	} {
		got, err := server.LoadConfig("", nil, []string{set})
		if want == nil {
			if err == nil {
				t.Errorf("%s was accepted", set)
			} else if key, _, _ := strings.Cut(set, "="); !strings.Contains(err.Error(), key) {
				t.Errorf("%s: the error does not name the key: %v", set, err)
			}
			continue
		}
		wanted := server.DefaultConfig()
		want(&wanted)
		if err != nil {
			t.Errorf("%s: %v", set, err)
		} else if diff := cmp.Diff(wanted, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", set, diff)
		}
	}
}

func TestUnknownKeysAreErrorsThatNameThem(t *testing.T) {
	for name, c := range map[string]struct {
		lines []string
		want  []string
	}{
		"misspelt":         {[]string{"listen: a:1", "data: x", "lisssten: b:2"}, []string{"line 3", "lisssten"}},
		"misspelt deeper":  {[]string{"grace:", "  close: 1s", "  clsoe: 2s"}, []string{"line 3", "clsoe"}},
		"one of the field": {[]string{"Listen: a:1"}, []string{"line 1", "Listen"}},
		"a path as a key":  {[]string{"grace.close: 1s"}, []string{"line 1", "grace.close"}},
		"twice":            {[]string{"listen: a", "data: b", "listen: c"}, []string{"line 3", "listen"}},
		"a bad value":      {[]string{"data: x", "grace:", "  close: 5"}, []string{"line 3"}},
		"a second page":    {[]string{"listen: a:1", "---", "listen: b:2"}, []string{"one YAML document"}},
		"a list":           {[]string{"- listen"}, []string{"line 1"}},
		"no YAML":          {[]string{"listen: [", "}"}, []string{"line"}},
		"not UTF-8":        {[]string{"listen: \xff"}, []string{"UTF-8"}},
	} {
		path := file(t, c.lines...)
		_, err := server.LoadConfig(path, nil, nil)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		for _, want := range append(c.want, path) {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is not in the error: %v", name, want, err)
			}
		}
	}
	for _, set := range []string{"lisssten=x", "grace.clsoe=1s", "grace.close.more=1s", "gracee.close=1s", "gateway=5"} {
		key, _, _ := strings.Cut(set, "=")
		if _, err := server.LoadConfig("", nil, []string{set}); err == nil || !strings.Contains(err.Error(), "-set "+key) {
			t.Errorf("%s: %v", set, err)
		}
	}
	missing := filepath.Join(t.TempDir(), "none.yaml")
	if _, err := server.LoadConfig(missing, nil, nil); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestEnvironmentThatIsWrongIsNamed(t *testing.T) {
	_, err := server.LoadConfig("", []string{"PORCHLIGHT_GRACE_CLOSE=5"}, nil)
	if err == nil || !strings.Contains(err.Error(), "PORCHLIGHT_GRACE_CLOSE") {
		t.Errorf("a bad value: %v", err)
	}
	// Other programs set variables that begin so, as orchestrators do for a
	// service of that name; and a variable that is empty is not set.
	environ := []string{
		"PORCHLIGHT_SECRET_KEY=s", "PORCHLIGHT_PORT=tcp://10.0.0.1:80", "PORCHLIGHT_=x", "PORCHLIGHT_GRACE=x", "PORCHLIGHT_LISTEN=", "porchlight_listen=x",
	}
	if diff := cmp.Diff(server.DefaultConfig(), mustLoad(t, "", environ, nil)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestConfigurationsThatNoServerCanRunWith(t *testing.T) {
	for name, c := range map[string]struct {
		sets []string
		want string // in the error; "" for a good one
	}{
		"no directory":                {[]string{`data=""`}, "data"},
		"ping as slow as death":       {[]string{"gateway.ping=60s"}, "gateway.ping"},
		"ping slower than death":      {[]string{"gateway.ping=10s", "limits.dead_web=9s"}, "limits.dead_web"},
		"ping slower than a native's": {[]string{"limits.dead_native=20s"}, "limits.dead_native"},
		"ping by default":             {[]string{"gateway.ping=0s", "limits.dead_web=20s"}, "gateway.ping"},
		"death by default":            {[]string{"limits.dead_web=0s", "limits.dead_native=0s"}, ""},
		"ping just faster":            {[]string{"gateway.ping=59999ms"}, ""},
		"hello too fast":              {[]string{"gateway.hello=999ms"}, "gateway.hello"},
		"hello never":                 {[]string{"gateway.hello=0s"}, "gateway.hello"},
		"hello each second":           {[]string{"gateway.hello=1s"}, ""},
		"a default limit":             {[]string{"limits.sockets=0", "limits.prelogin=0s"}, ""},
		"limits by default": {[]string{
			"limits.command_refusals=0", "limits.prelogin_sockets=0", "limits.prelogin_address=0", "limits.verify_failures=0",
			"limits.verify_failures_peer=0", "limits.verify_window=0s", "limits.user_logins=0", "limits.user_logins_window=0s",
		}, ""},
		"limits that are none":         {[]string{"limits.verify_failures=1000000000", "limits.user_logins=1000000000"}, ""},
		"proxies of all kinds":         {[]string{`gateway.proxies=[192.0.2.1, 10.1.2.3/8, "2001:db8::/32", "::1", "::ffff:10.0.0.0/104"]`}, ""},
		"everyone a proxy":             {[]string{`gateway.proxies=[0.0.0.0/0, "::/0"]`}, ""},
		"no proxy":                     {[]string{"gateway.proxies=[]"}, ""},
		"a proxy's name":               {[]string{"gateway.proxies=[127.0.0.1, proxy.example]"}, `gateway.proxies: "proxy.example"`},
		"a proxy with a port":          {[]string{`gateway.proxies=["127.0.0.1:80"]`}, `gateway.proxies: "127.0.0.1:80"`},
		"a CIDR too long":              {[]string{"gateway.proxies=[10.0.0.0/33]"}, `gateway.proxies: "10.0.0.0/33"`},
		"a CIDR of IPv6 too long":      {[]string{`gateway.proxies=["::1/129"]`}, `gateway.proxies: "::1/129"`},
		"a CIDR below zero":            {[]string{"gateway.proxies=[10.0.0.0/-1]"}, `gateway.proxies: "10.0.0.0/-1"`},
		"a proxy with spaces":          {[]string{`gateway.proxies=[" ::1"]`}, `gateway.proxies: " ::1"`},
		"a proxy with a zone":          {[]string{`gateway.proxies=["fe80::1%eth0"]`}, `gateway.proxies: "fe80::1%eth0"`},
		"a CIDR with a zone":           {[]string{`gateway.proxies=["fe80::%eth0/10"]`}, `gateway.proxies: "fe80::%eth0/10"`},
		"a proxy that is empty":        {[]string{`gateway.proxies=[""]`}, `gateway.proxies: ""`},
		"an address that is octal":     {[]string{"gateway.proxies=[127.0.0.01]"}, `gateway.proxies: "127.0.0.01"`},
		"an address and two masks":     {[]string{"gateway.proxies=[10.0.0.0/8/8]"}, `gateway.proxies: "10.0.0.0/8/8"`},
		"addresses in one text":        {[]string{`gateway.proxies=["10.0.0.1,10.0.0.2"]`}, `gateway.proxies: "10.0.0.1,10.0.0.2"`},
		"a mask written as an address": {[]string{"gateway.proxies=[10.0.0.0/255.0.0.0]"}, `gateway.proxies: "10.0.0.0/255.0.0.0"`},
	} {
		_, err := server.LoadConfig("", nil, c.sets)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNothingIsNegative(t *testing.T) {
	leaves(reflect.ValueOf(server.DefaultConfig()), "", func(path string, v reflect.Value) {
		value, ok := map[reflect.Kind]string{reflect.Int: "-1", reflect.Float64: "-0.5", reflect.Int64: "-1ns"}[v.Kind()]
		if !ok {
			return
		}
		if _, err := server.LoadConfig("", nil, []string{path + "=" + value}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s=%s: %v", path, value, err)
		}
	})
}

// TestASetIsOneKeyAndOneValue tries to bring in other keys by the path or the
// value of one.
func TestASetIsOneKeyAndOneValue(t *testing.T) {
	for _, set := range []string{
		"", "=", "listen", "=x", "listen=", "listen= ", "listen=\t",
		"listen=x\ndata: y", "listen=x\r\ndata: y", "listen=x\rdata: y", "listen=x\u2028data: y", "listen=x\u2029data: y", "listen=x\u0085data: y",
		"log.level=info\n format: json", "log.level=info\r format: json", "data=|\n x", "listen=x\n---\ndata: y", "listen=x\n...\n",
		"listen\ndata=x", "listen: x\ndata=y", "listen:=x", "{listen=x}", "[listen]=x", "listen: x #=y", "\"listen\"=x", "listen =x",
		"<<={listen: x}", "? listen=x", "- listen=x", "!!str listen=x", "&a listen=x", "*a=x", "listen\x00=x", "listen\t=x", "li\u2028sten=x", "%YAML=x",
		".=x", "..=x", "grace.=1s", ".listen=x", "grace..close=1s", "LISTEN=x", "gräce.close=1s", "listen\xff=x",
		"listen=\x00", "listen=\xff", "listen=[", "listen={", "listen=\"", "listen='", "listen=*a", "listen=a: b", "listen=- a", "listen={data: y}", "data=%x",
	} {
		got, err := server.LoadConfig("", nil, []string{set})
		if err == nil {
			t.Errorf("%q was accepted: %s", set, cmp.Diff(server.DefaultConfig(), got))
		}
	}
}

// FuzzLoadConfigSets: whatever stands in a -set, it is refused or changes
// nothing but the key it names.
func FuzzLoadConfigSets(f *testing.F) {
	for _, s := range [][2]string{
		{"listen", "127.0.0.1:0"},
		{"data", `"a \"b\" #c"`},
		{"grace.close", "5s"},
		{"grace", "{close: 1s, <<: {left: 2s}}"},
		{"gateway.origins", "[https://a, *b, &c d]"},
		{"limits.command_rate", "1e3"},
		{"log.level", "info\r format: json"},
		{"..", "!!binary AA=="},
		{"store", "&a {gather: 1s} # x"},
		{"log.format", "|"},
		{"limits.sockets", "0x10"},
		{"data", "---"},
		{"status", "? a"},
	} {
		f.Add(s[0], s[1])
	}
	defaults := flat(server.DefaultConfig())
	f.Fuzz(func(t *testing.T, path, value string) {
		key, _, _ := strings.Cut(path+"="+value, "=")
		cfg, err := server.LoadConfig("", nil, []string{path + "=" + value})
		if err != nil {
			return
		}
		for other, got := range flat(cfg) {
			if got != defaults[other] && other != key && !strings.HasPrefix(other, key+".") {
				t.Errorf("%q=%q changed %s to %s", path, value, other, got)
			}
		}
		// The same in the environment.
		env := "PORCHLIGHT_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_")) + "="
		_, rest, _ := strings.Cut(path+"="+value, "=")
		same, err := server.LoadConfig("", []string{env + rest}, nil)
		if _, leaf := defaults[key]; leaf && (err != nil || !reflect.DeepEqual(cfg, same)) {
			t.Errorf("%s%s by the environment: %v, %s", env, rest, err, cmp.Diff(cfg, same))
		}
	})
}
