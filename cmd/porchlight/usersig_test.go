package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/usersig"
)

const (
	testKey = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
	testApp = 1400000001
)

// keyFromFile gives a data directory whose dev.json holds the key, and takes
// the key out of the environment.
func keyFromFile(t *testing.T) string {
	t.Helper()
	t.Setenv(secretEnv, "")
	dir := t.TempDir()
	text := `{"ready":true,"url":"http://x","sdkAppID":1400000001,"secretKey":"` + testKey + `","admin":"administrator"}`
	if err := os.WriteFile(filepath.Join(dir, "dev.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// verify judges a UserSig as the server does.
func verify(t *testing.T, token string, app im.AppID, user im.UserID) usersig.Sig {
	t.Helper()
	sig, err := usersig.Verify(token, usersig.Want{
		App: app, User: user, Keys: []im.AppKey{{ID: 1, Secret: testKey}}, Now: time.Now(), Skew: im.TokenSkew,
	})
	if err != nil {
		t.Fatalf("the server would refuse it: %v", err)
	}
	return sig
}

func TestMintedUserSigIsGood(t *testing.T) {
	dir := keyFromFile(t)
	for name, args := range map[string][]string{
		"as a line":      {"usersig", "-data", dir, "alice"},
		"the app, named": {"usersig", "-data", dir, "-app", "1400000001", "alice"},
	} {
		o := try(t, args...)
		token, one := strings.CutSuffix(o.out, "\n")
		if o.err != nil || o.errs != "" || !one || strings.ContainsAny(token, " \n") {
			t.Fatalf("%s: %+v", name, o)
		}
		sig := verify(t, token, testApp, "alice")
		if got := sig.Expires - sig.Issued; got != 180*24*3600 {
			t.Errorf("%s: good for %d s, want half a year", name, got)
		}
	}
	o := try(t, "usersig", "-data", dir, "-json", "-expire", "90s", "bob")
	var got struct {
		SDKAppID im.AppID  `json:"sdkAppID"`
		UserID   im.UserID `json:"userID"`
		UserSig  string    `json:"userSig"`
	}
	if err := json.Unmarshal([]byte(o.out), &got); err != nil || got.SDKAppID != testApp || got.UserID != "bob" {
		t.Fatalf("%+v: %v", o, err)
	}
	if sig := verify(t, got.UserSig, testApp, "bob"); sig.Expires-sig.Issued != 90 {
		t.Errorf("good for %d s, want 90", sig.Expires-sig.Issued)
	}
}

func TestKeyOfTheEnvironmentGoesFirst(t *testing.T) {
	dir := keyFromFile(t)
	t.Setenv(secretEnv, testKey)
	o := try(t, "usersig", "-data", dir, "-app", "4294967295", "alice")
	if o.err != nil {
		t.Fatal(o.err)
	}
	verify(t, strings.TrimSpace(o.out), 4294967295, "alice")
}

func TestVerifyTellsWhatIsInAUserSig(t *testing.T) {
	dir := keyFromFile(t)
	issued := time.Now().Add(-time.Hour).Truncate(time.Second)
	token, err := usersig.Mint(testApp, "alice", testKey, issued, 2*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	o := try(t, "usersig", "-data", dir, "-verify", token, "alice")
	want := "good: user alice of application 1400000001, issued " + issued.UTC().Format(time.RFC3339) +
		", expires " + issued.Add(2*time.Hour).UTC().Format(time.RFC3339) + "\n"
	if o.err != nil || o.out != want {
		t.Errorf("got %+v, want %q", o, want)
	}
	o = try(t, "usersig", "-data", dir, "-json", "-verify", token, "alice")
	var got struct {
		SDKAppID        im.AppID
		UserID          im.UserID
		Issued, Expires int64
	}
	if err := json.Unmarshal([]byte(o.out), &got); err != nil || got.SDKAppID != testApp || got.UserID != "alice" ||
		got.Issued != issued.Unix() || got.Expires != issued.Unix()+7200 {
		t.Errorf("as JSON: %s", o.out)
	}
}

func TestVerifySaysWhatIsWrong(t *testing.T) {
	dir := keyFromFile(t)
	mint := func(app im.AppID, key string, at time.Time) string {
		token, err := usersig.Mint(app, "alice", key, at, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	good := mint(testApp, testKey, time.Now())
	for name, c := range map[string]struct{ token, user, want string }{
		"garbage":             {"garbage", "alice", "70003"},
		"cut":                 {good[:len(good)-9], "alice", "70003"},
		"another user":        {good, "bob", "70013"},
		"another application": {mint(1400000002, testKey, time.Now()), "alice", "70014"},
		"another key":         {mint(testApp, "another key", time.Now()), "alice", "70009"},
		"expired":             {mint(testApp, testKey, time.Now().Add(-2*time.Hour)), "alice", "70001"},
	} {
		o := try(t, "usersig", "-data", dir, "-verify", c.token, c.user)
		if o.err == nil || !strings.Contains(o.err.Error(), c.want) || o.out != "" {
			t.Errorf("%s: %+v, want %s", name, o, c.want)
		}
		if strings.Contains(o.all(), c.token) && len(c.token) > 20 || strings.Contains(o.all(), testKey) {
			t.Errorf("%s: the error quotes a secret: %s", name, o.all())
		}
	}
}

func TestErrorsSayWhatToDoAndHoldNoKey(t *testing.T) {
	dir := keyFromFile(t)
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "dev.json"), []byte(`{"secretKey":"`+testKey+`","sdkAppID":"x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()
	if err := os.WriteFile(filepath.Join(empty, "dev.json"), []byte(`{}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key  string
		args []string
		want string
	}{
		"no key anywhere":       {"", []string{"-data", t.TempDir(), "alice"}, secretEnv},
		"no dev.json":           {"", []string{"-data", filepath.Join(dir, "none"), "alice"}, "dev.json"},
		"a broken dev.json":     {"", []string{"-data", broken, "alice"}, filepath.Join(broken, "dev.json")},
		"an empty dev.json":     {"", []string{"-data", empty, "alice"}, "SDKAppID"},
		"another application":   {"", []string{"-data", dir, "-app", "7", "alice"}, secretEnv},
		"a key of no app":       {testKey, []string{"alice"}, "-app"},
		"an app out of range":   {testKey, []string{"-app", "4294967297", "alice"}, "4294967297"},
		"an app of zero":        {"", []string{"-data", dir, "-app", "4294967296", "alice"}, "4294967296"},
		"no user":               {"", []string{"-data", dir, ""}, "userID"},
		"a user that is none":   {"", []string{"-data", dir, "al ice"}, "userID"},
		"a user that is long":   {"", []string{"-data", dir, strings.Repeat("x", 33)}, "userID"},
		"expired when minted":   {"", []string{"-data", dir, "-expire", "0s", "alice"}, "expiry"},
		"expired before it is":  {"", []string{"-data", dir, "-expire", "-1h", "alice"}, "expiry"},
		"not a whole second":    {"", []string{"-data", dir, "-expire", "999ms", "alice"}, "second"},
		"a key as the UserSig":  {"", []string{"-data", dir, "-verify", testKey, "alice"}, "70003"},
		"a key for the user ID": {testKey, []string{"-app", "5", testKey}, "userID"},
	} {
		t.Setenv(secretEnv, c.key)
		o := try(t, append([]string{"usersig"}, c.args...)...)
		if o.err == nil || o.out != "" || !strings.Contains(o.err.Error(), c.want) {
			t.Errorf("%s: %+v, want %q", name, o, c.want)
		}
		if strings.Contains(o.all(), testKey) {
			t.Errorf("%s: the key is in %s", name, o.all())
		}
	}
}
