package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

const given = "0123456789abcdef0123456789abcdef" // a secret

// operate starts an operator's API and says in the environment where it is.
func operate(t *testing.T) *testkit.Operator {
	t.Helper()
	o := testkit.NewOperator(t)
	s := httptest.NewServer(o.Handler())
	t.Cleanup(s.Close)
	t.Setenv(urlEnv, s.URL)
	t.Setenv(tokenEnv, testkit.OperatorToken)
	return o
}

// carryOut carries out a line that must succeed, and gives what it prints. No line
// of any test may print the token.
func carryOut(t *testing.T, line string) string {
	t.Helper()
	o := try(t, strings.Fields(line)...)
	if o.err != nil || o.errs != "" {
		t.Fatalf("porchlight %s: %v\n%s", line, o.err, o.errs)
	}
	if strings.Contains(o.all(), testkit.OperatorToken) {
		t.Errorf("porchlight %s prints the token", line)
	}
	return o.out
}

// says checks that a line prints all of some texts.
func says(t *testing.T, line string, wants ...string) {
	t.Helper()
	out := carryOut(t, line)
	for _, want := range wants {
		if !strings.Contains(out, want) {
			t.Errorf("porchlight %s does not say %q:\n%s", line, want, out)
		}
	}
}

func TestApplicationsAreManaged(t *testing.T) {
	operate(t)
	says(t, "app list", "1400000001  dev   enabled  1")
	made := carryOut(t, "app create -name shop -admin root -admin boss login.policy=multi limit.query=7")
	secret := regexp.MustCompile(`(?m)^  ([0-9a-f]{64})$`).FindStringSubmatch(made)
	if secret == nil || !strings.Contains(made, "Application 1400000002, shop, is made") || !strings.Contains(made, "not shown again") {
		t.Fatalf("made: %s", made)
	}
	shown := carryOut(t, "app show 1400000002")
	shown = regexp.MustCompile(`created .*`).ReplaceAllString(shown, "created         now")
	if diff := cmp.Diff(`SDKAppID        1400000002
name            shop
state           enabled
created         now
administrators  boss, root

KEY  STATE   NOT BEFORE  NOT AFTER
1    active  -           -

SETTING       VALUE
login.policy  multi
limit.query   7

The other settings have their defaults: porchlight app settings
`, shown); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	says(t, "app list", "1400000001", "1400000002  shop  enabled  1            login.policy limit.query")
	says(t, "app set 1400000002 limit.query= login.policy= name=new enabled=false", "new\n", "disabled", "All settings have their defaults")
	says(t, "app set 1400000002 status.on=false enabled=true name=", "app-1400000002\n", "enabled", "status.on  false")
	says(t, "app create -id 7 limit.window=9s", "Application 7, app-7, is made")
	says(t, "app settings", "limit.window              5s       1s to 1h", "status.on                 true     -")
	says(t, "app admin add 7 root", "root is an administrator of application 7")
	says(t, "app show 7", "administrators  root")
	says(t, "app admin remove 7 root", "root is no administrator of application 7")
	says(t, "app show 7", "administrators  none")
}

func TestKeysAreManaged(t *testing.T) {
	operate(t)
	added := carryOut(t, "app key add 1400000001 -not-before 24h")
	if !regexp.MustCompile(`(?m)^  [0-9a-f]{64}$`).MatchString(added) || !strings.Contains(added, "Key 2 of application 1400000001 is added") {
		t.Errorf("added: %s", added)
	}
	says(t, "app key list 1400000001", "1    active ", "2    not yet active  in 24 hours (")
	says(t, "app key bound 1400000001 2 -not-before none -not-after 2999-01-01", "2    active  -           in ", "(2999-01-01 00:00 UTC)")
	says(t, "app key bound -not-after -1h 1400000001 1", "1    past its time  -           1 hour ago (")
	says(t, "app key withdraw 1400000001 2", "2    withdrawn")
	says(t, "app key list 1400000001", "1    past its time", "2    withdrawn")
}

func TestSecretIsReadFromAFile(t *testing.T) {
	operate(t)
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(given+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	made := carryOut(t, "app create -id 7 -secret-file "+file)
	if strings.Contains(made, given) || !strings.Contains(made, "Key 1 is the secret key that you gave") {
		t.Errorf("made: %s", made)
	}
	var key struct{ Secret string }
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer func(was *os.File) { os.Stdin = was }(os.Stdin)
	os.Stdin = in
	if err := json.Unmarshal([]byte(carryOut(t, "app key add 1400000001 -json -secret-file -")), &key); err != nil || key.Secret != given {
		t.Errorf("from standard input: %+v, %v", key, err)
	}
	for name, text := range map[string]string{"empty": "", "line": "\n", "short": "hunter2", "spaces": given + " x"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		o := try(t, "app", "key", "add", "7", "-secret-file", file)
		if o.err == nil || !strings.Contains(o.err.Error(), "secret") || strings.Contains(o.all(), "hunter2") || strings.Contains(o.all(), given) {
			t.Errorf("%s: %+v", name, o)
		}
	}
	if o := try(t, "app", "create", "-secret-file", filepath.Join(file, "none")); o.err == nil || !strings.Contains(o.err.Error(), "none") {
		t.Errorf("no file: %+v", o)
	}
}

func TestUsersAreManaged(t *testing.T) {
	o := operate(t)
	says(t, "user show 1400000001 alice", "user        alice", "UNLOGINED", "watches     0 users", "There are no sessions")
	o.SetUser(im.UserView{
		User: im.UserKey{App: 1400000001, User: "-a/b%?"}, TinyID: 5, RevokedBefore: 1700000000, Watching: 1, Watchers: 2,
		Status: im.Status{General: im.Online, Custom: "\x1b[31mred"},
		Sessions: []im.SessionView{
			{SessionRow: im.SessionRow{Inst: 9, Platform: im.Web, KeyID: 1, Opened: 1700000000000, Expires: 32503680000000}, Connected: true},
			{SessionRow: im.SessionRow{Inst: 8, Platform: im.IPad, Opened: 1, Expires: 2}, Until: 1700000005000},
			{SessionRow: im.SessionRow{Inst: 7, Platform: im.Mac, Opened: 1, Expires: 2}},
			{SessionRow: im.SessionRow{Inst: 6, Platform: im.Linux, Opened: 1, Expires: 2, Closed: 1700000001000, Cause: im.CauseKickAdmin}},
		},
	})
	says(t, "user show 1400000001 -- -a/b%?", "user           -a/b%?", "ONLINE", "\uFFFD[31mred", "those until ", "watches        1 user\n", "watched by     2 accounts\n",
		"9        web       connected ", "8        ipad      lost; grace ends ", "7        mac       not connected ", "6        linux     kick_admin ", "(3000-01-01 00:00 UTC)")
	says(t, "user kick 1400000001 alice", "User alice of application 1400000001 is thrown out")
	says(t, "user ban 1400000001 alice", "is banned", "porchlight user unban 1400000001 alice")
	says(t, "user show 1400000001 alice", "banned      yes")
	says(t, "user unban 1400000001 alice", "may log in again")
	says(t, "audit", "3    ", "user.unban", "2    ", "user.ban", "1    ", "user.kick", "operator", "alice")
	if out := carryOut(t, "user kick -json 1400000001 alice"); out != "" {
		t.Errorf("an answer without a body: %q", out)
	}
}

func TestAuditIsReadByPages(t *testing.T) {
	operate(t)
	says(t, "audit", "There are no such rows")
	carryOut(t, "app create -id 7")
	carryOut(t, "app set 7 limit.query=5")
	carryOut(t, "app set 1400000001 limit.query=6")
	says(t, "audit -limit 2", "limit.query: 500 → 6", "limit.query: 500 → 5", "add -before 2")
	says(t, "audit -limit 2 -before 2", "app.create")
	if out := carryOut(t, "audit -app 7"); strings.Contains(out, "→ 6") || !strings.Contains(out, "→ 5") {
		t.Errorf("of application 7: %s", out)
	}
}

func TestMachinesAreGivenJSON(t *testing.T) {
	operate(t)
	for _, line := range []string{"app list", "app show 1400000001", "app create", "app key add 1400000002", "app set 1400000001 limit.query=5", "app settings", "audit", "user show 1400000001 alice"} {
		out := carryOut(t, line+" -json")
		if !json.Valid([]byte(out)) || strings.Count(out, "\n") != 1 {
			t.Errorf("porchlight %s -json: %s", line, out)
		}
		if strings.Contains(out, `"secret":"`) != (line == "app create" || strings.HasPrefix(line, "app key add")) {
			t.Errorf("porchlight %s -json, and the secret: %s", line, out)
		}
	}
}

func TestRefusalsAreExplained(t *testing.T) {
	operate(t)
	for line, want := range map[string]string{
		"app show 7":                                 "list the applications to see which there are (70020)",
		"app set 1400000001 limit.qery=5":            "limit.qery",
		"app set 1400000001 limit.query=0":           "from 1 to 5000",
		"app create -id 1400000001":                  "exists already",
		"app create name=x":                          `"name"`,
		"app key withdraw 1400000001 9":              "no key 9",
		"app key bound 1400000001 9 -not-after none": "no key 9",
		"app admin add 1400000001 ä":                 "userID",
		"user kick 1400000001 bob":                   "the account does not exist",
		"user show 1400000001 ..":                    "the account does not exist",
		"audit -app 7":                               "list the applications",
		"audit -limit 1000":                          "query.limit",
	} {
		o := try(t, strings.Fields(line)...)
		if o.err == nil || errors.Is(o.err, errUsage) || !strings.Contains(o.err.Error(), want) || o.out != "" {
			t.Errorf("porchlight %s: %+v, want %q", line, o, want)
		}
	}
}

// directory gives a data directory with files.
func directory(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestServerAndTokenAreFound(t *testing.T) {
	operate(t)
	url := os.Getenv(urlEnv)
	dev := `{"url":"` + url + `","operatorToken":"` + testkit.OperatorToken + `"}`
	const token = testkit.OperatorToken + "\n"
	for name, c := range map[string]struct {
		url, token string // of the environment
		args       []string
		files      map[string]string
	}{
		"dev.json":                         {"", "", nil, map[string]string{"dev.json": dev}},
		"dev.json before operator.token":   {"", "", nil, map[string]string{"dev.json": dev, "operator.token": "x"}},
		"operator.token and -url":          {"", "", []string{"-url", url + "/"}, map[string]string{"operator.token": token}},
		"operator.token and the URL":       {url, "", nil, map[string]string{"operator.token": token}},
		"-url before the environment":      {"http://127.0.0.1:1", "", []string{"-url", url}, map[string]string{"operator.token": token}},
		"the environment before dev.json":  {url, testkit.OperatorToken, nil, map[string]string{"dev.json": `{"url":"http://127.0.0.1:1","operatorToken":"x"}`}},
		"the environment and no directory": {url, testkit.OperatorToken, []string{"-data", "/nowhere"}, nil},
	} {
		t.Setenv(urlEnv, c.url)
		t.Setenv(tokenEnv, c.token)
		if o := try(t, append([]string{"app", "list", "-data", directory(t, c.files)}, c.args...)...); o.err != nil || !strings.Contains(o.out, "1400000001") {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

func TestServerOrTokenThatIsNotThereIsExplained(t *testing.T) {
	operate(t)
	url := os.Getenv(urlEnv)
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	garbled := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("hello")) }))
	defer garbled.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, c := range map[string]struct {
		url, token string
		files      map[string]string
		want       string
	}{
		"no token":             {url, "", nil, "-data"},
		"an empty token":       {url, "", map[string]string{"operator.token": "\n"}, "is empty"},
		"another token":        {url, "the-wrong-one", nil, tokenEnv},
		"a token of a file":    {url, "", map[string]string{"operator.token": "another"}, "operator.token"},
		"a broken dev.json":    {url, "", map[string]string{"dev.json": "{"}, "dev.json"},
		"no server":            {gone.URL, "x", nil, "porchlight serve"},
		"another server":       {other.URL, "x", nil, "operator.listen"},
		"what is no answer":    {garbled.URL, "x", nil, "read the answer"},
		"no URL":               {"127.0.0.1:7800", "x", nil, "is no URL"},
		"a URL of a file":      {"file:///etc/passwd", "x", nil, "is no URL"},
		"a token of two lines": {url, "a\rb", nil, "Authorization"},
	} {
		t.Setenv(urlEnv, c.url)
		t.Setenv(tokenEnv, c.token)
		o := try(t, "app", "list", "-data", directory(t, c.files))
		if o.err == nil || errors.Is(o.err, errUsage) || !strings.Contains(o.err.Error(), c.want) || o.out != "" {
			t.Errorf("%s: %+v, want %q", name, o, c.want)
		}
		if len(c.token) > 1 && strings.Contains(o.all(), c.token) {
			t.Errorf("%s: the token is in %s", name, o.all())
		}
	}
}

func TestEmptyServerSaysWhatToDoNext(t *testing.T) {
	empty := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/admin/v1/apps" {
			w.Write([]byte(`{"apps":[]}`))
			return
		}
		w.Write([]byte(`{"id":7,"keys":[]}`))
	}))
	defer empty.Close()
	t.Setenv(urlEnv, empty.URL)
	t.Setenv(tokenEnv, testkit.OperatorToken)
	says(t, "app list", "porchlight app create -name shop")
	says(t, "app key list 7", "porchlight app key add 7")
}
