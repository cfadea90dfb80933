package app_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/im"
)

// TestST3_ST5_ST6_ST7_ST9_DefaultsAreTheDocumentedOnes holds an application
// without settings to the vendor's figures.
func TestST3_ST5_ST6_ST7_ST9_DefaultsAreTheDocumentedOnes(t *testing.T) {
	want := app.Settings{
		StatusOn: true, StatusEdition: true, FriendNotices: false,
		Login: im.PolicyDual, NativeSessions: 1, WebSessions: 1,
		MaxQuery: 500, MaxSubscribe: 100, MaxUnsubscribe: 100, MaxSubscribed: 200, MaxCustomBytes: 100,
		CallsPerWindow: 20, CallsWindow: 5 * time.Second, MaxTokenLife: 0,
	}
	if diff := cmp.Diff(want, app.DefaultSettings()); diff != "" {
		t.Errorf("DefaultSettings (-want +got)\n%s", diff)
	}
	for name, rows := range map[string]map[string]string{"missing": nil, "empty": {}} {
		got, err := app.ParseSettings(rows)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s rows (-want +got)\n%s", name, diff)
		}
	}
}

// values holds one value of every setting that differs from its default.
var values = map[string]struct {
	text string
	set  func(*app.Settings)
}{
	"status.on":             {"false", func(s *app.Settings) { s.StatusOn = false }},
	"status.edition":        {"0", func(s *app.Settings) { s.StatusEdition = false }},
	"status.friend_notices": {"true", func(s *app.Settings) { s.FriendNotices = true }},
	"login.policy":          {"triple", func(s *app.Settings) { s.Login = im.PolicyTriple }},
	"login.native_sessions": {"3", func(s *app.Settings) { s.NativeSessions = 3 }},
	"login.web_sessions":    {"10", func(s *app.Settings) { s.WebSessions = 10 }},
	"limit.query":           {"7", func(s *app.Settings) { s.MaxQuery = 7 }},
	"limit.subscribe":       {"8", func(s *app.Settings) { s.MaxSubscribe = 8 }},
	"limit.unsubscribe":     {"9", func(s *app.Settings) { s.MaxUnsubscribe = 9 }},
	"limit.subscribed":      {"1000", func(s *app.Settings) { s.MaxSubscribed = 1000 }},
	"limit.custom_bytes":    {"99", func(s *app.Settings) { s.MaxCustomBytes = 99 }},
	"limit.calls":           {"0", func(s *app.Settings) { s.CallsPerWindow = 0 }},
	"limit.window":          {"1m30s", func(s *app.Settings) { s.CallsWindow = 90 * time.Second }},
	"limit.token_life":      {"4320h", func(s *app.Settings) { s.MaxTokenLife = 180 * 24 * time.Hour }},
}

func TestEachSettingIsReadByItsName(t *testing.T) {
	kind := reflect.TypeFor[app.Settings]()
	if kind.NumField() != len(values) {
		t.Errorf("there are %d settings, and %d in this test", kind.NumField(), len(values))
	}
	all, want := map[string]string{}, app.DefaultSettings()
	for i := range kind.NumField() {
		name := kind.Field(i).Tag.Get("setting")
		v, ok := values[name]
		if !ok {
			t.Errorf("the setting %q of %s is not in this test", name, kind.Field(i).Name)
			continue
		}
		all[name] = v.text
		v.set(&want)
		alone := app.DefaultSettings()
		v.set(&alone)
		if alone == app.DefaultSettings() {
			t.Errorf("%s: this test sets its default", name)
		}
		got, err := app.ParseSettings(map[string]string{name: v.text})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(alone, got); diff != "" {
			t.Errorf("%s=%s (-want +got)\n%s", name, v.text, diff)
		}
	}
	got, err := app.ParseSettings(all)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("all at once (-want +got)\n%s", diff)
	}
}

func TestSettingsAtTheirEdges(t *testing.T) {
	for name, texts := range map[string][]string{
		"status.on":          {"true", "false", "1", "0", "T", "FALSE"},
		"login.policy":       {"single", "dual", "triple", "multi"},
		"limit.query":        {"0", "+5", "007", "2147483647"},
		"limit.custom_bytes": {"0", "100"},
		"limit.window":       {"0", "0s", "1ns", "1.5h", "300ms", "2562047h"},
	} {
		for _, text := range texts {
			if _, err := app.ParseSettings(map[string]string{name: text}); err != nil {
				t.Errorf("%s=%q: %v", name, text, err)
			}
		}
	}
}

func TestSettingsThatAreRefusedAreNamed(t *testing.T) {
	for name, texts := range map[string][]string{
		"status.on":             {"", "yes", "on", "2", " true", "true "},
		"status.friend_notices": {"null"},
		"login.policy":          {"", "Dual", "policy0", "0", "single,multi"},
		"login.native_sessions": {"", "-1", "1.5", "1e3", "one", "99999999999999999999", " 1", "0x10"},
		"login.web_sessions":    {"-10"},
		"limit.query":           {"-500"},
		"limit.calls":           {"-1"},
		"limit.custom_bytes":    {"101", "1000000", "-1"},
		"limit.window":          {"", "5", "-5s", "-1ns", "5 s", "5d", "99999999h"},
		"limit.token_life":      {"forever", "-1h"},
	} {
		for _, text := range texts {
			got, err := app.ParseSettings(map[string]string{name: text, "status.edition": "false"})
			if err == nil {
				t.Errorf("%s=%q was accepted as %+v", name, text, got)
				continue
			}
			if !strings.Contains(err.Error(), name) {
				t.Errorf("%s=%q: the error does not name it: %v", name, text, err)
			}
			if got != (app.Settings{}) {
				t.Errorf("%s=%q: settings beside an error: %+v", name, text, got)
			}
		}
	}
}

func TestUnknownSettingsAreErrors(t *testing.T) {
	for name, rows := range map[string]map[string]string{
		"one":              {"status.off": "true"},
		"another case":     {"Status.On": "true"},
		"the field's name": {"StatusOn": "true"},
		"no name":          {"": "true"},
		"beside known":     {"status.on": "true", "limit.query": "5", "limit.queries": "5"},
	} {
		if got, err := app.ParseSettings(rows); err == nil {
			t.Errorf("%s was accepted: %+v", name, got)
		}
	}
}
