package app_test

import (
	"reflect"
	"strconv"
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
		StatusOn: true, StatusEdition: true, FriendNotices: false, Deletion: true,
		Login: im.PolicyDual, NativeSessions: 1, WebSessions: 1,
		AllowType: "any", OwnRank: true, MaxFriends: 3000, MaxApplications: 100, MaxBlocked: 1000, MaxFriendGroups: 32,
		MaxGroupBytes: 30, MaxRemarkBytes: 96, MaxWordingBytes: 256, MaxFieldBytes: 500,
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
	"status.on":                {"false", func(s *app.Settings) { s.StatusOn = false }},
	"status.edition":           {"0", func(s *app.Settings) { s.StatusEdition = false }},
	"status.friend_notices":    {"true", func(s *app.Settings) { s.FriendNotices = true }},
	"status.hide_from_blocked": {"true", func(s *app.Settings) { s.HideFromBlocked = true }},
	"login.policy":             {"triple", func(s *app.Settings) { s.Login = im.PolicyTriple }},
	"login.native_sessions":    {"3", func(s *app.Settings) { s.NativeSessions = 3 }},
	"login.web_sessions":       {"10", func(s *app.Settings) { s.WebSessions = 10 }},
	"limit.query":              {"7", func(s *app.Settings) { s.MaxQuery = 7 }},
	"limit.subscribe":          {"8", func(s *app.Settings) { s.MaxSubscribe = 8 }},
	"limit.unsubscribe":        {"9", func(s *app.Settings) { s.MaxUnsubscribe = 9 }},
	"limit.subscribed":         {"1000", func(s *app.Settings) { s.MaxSubscribed = 1000 }},
	"limit.custom_bytes":       {"99", func(s *app.Settings) { s.MaxCustomBytes = 99 }},
	"limit.calls":              {"0", func(s *app.Settings) { s.CallsPerWindow = 0 }},
	"limit.window":             {"1m30s", func(s *app.Settings) { s.CallsWindow = 90 * time.Second }},
	"rest.limited":             {"true", func(s *app.Settings) { s.RESTLimited = true }},
	"account.deletion":         {"false", func(s *app.Settings) { s.Deletion = false }},
	"account.keep_out":         {"2160h", func(s *app.Settings) { s.KeepOut = 90 * 24 * time.Hour }},
	"limit.token_life":         {"4320h", func(s *app.Settings) { s.MaxTokenLife = 180 * 24 * time.Hour }},
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
		"friend.allow_type":  {"any", "confirm", "nobody"},
		"friend.fields":      {"", "A", "Team,Level:number", "abcdefgh:number,b"},
		"login.web_sessions": {"1", "100"},
		"limit.query":        {"1", "+5", "007", "5000"},
		"limit.custom_bytes": {"0", "100"},
		"limit.calls":        {"0", "100000"},
		"limit.window":       {"1s", "0.5h", "3600s", "1h", "1000ms"},
		"limit.token_life":   {"0", "0s", "1s", "87600h"},
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
		"friend.allow_type":     {"", "Any", "AllowType_Type_AllowAny"},
		"friend.fields":         {",", "A,", "A,A", "A:text", "A:", ":number", "Te am", "Team9", "abcdefghi", strings.Repeat("A,", 20) + "B"},
		"login.native_sessions": {"", "-1", "1.5", "1e3", "one", "99999999999999999999", " 1", "0x10", "0", "101"},
		"login.web_sessions":    {"-10", "0", "101"},
		"limit.query":           {"-500", "0", "5001"},
		"limit.subscribe":       {"0", "1001"},
		"limit.unsubscribe":     {"0", "1001"},
		"limit.subscribed":      {"0", "10001"},
		"limit.calls":           {"-1", "100001"},
		"limit.custom_bytes":    {"101", "1000000", "-1"},
		"limit.window":          {"", "5", "-5s", "-1ns", "5 s", "5d", "99999999h", "0s", "300ms", "1.5s", "3601s"},
		"limit.token_life":      {"forever", "-1h", "1ns", "87600h1s"},
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

// TestRefusalsOfSettingsSayWhatIsAllowed: whoever reads one needs no page.
func TestRefusalsOfSettingsSayWhatIsAllowed(t *testing.T) {
	for row, want := range map[[2]string]string{
		{"status.on", "yes"}:       `setting status.on: "yes" is neither true nor false`,
		{"login.policy", "Dual"}:   `setting login.policy: "Dual" is no policy: single, dual, triple or multi`,
		{"limit.query", "5001"}:    `setting limit.query: "5001" is not a number from 1 to 5000`,
		{"limit.window", "2h"}:     `setting limit.window: "2h" is not a time in whole seconds, such as 90s or 24h, from 1s to 1h0m0s`,
		{"limit.queries", "5"}:     `setting "limit.queries": there is none of that name; there are status.on, status.edition, `,
		{"status.on\n", "true"}:    `setting "status.on\n": there is none`,
		{"limit.token_life", "5d"}: `setting limit.token_life: "5d" is not a time in whole seconds, such as 90s or 24h, from 0s to 87600h0m0s`,
	} {
		if _, err := app.ParseSettings(map[string]string{row[0]: row[1]}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s=%s gives %v, want %s", row[0], row[1], err, want)
		}
	}
}

// TestDescribeIsWhatParseDoes: the bounds that are told are those that hold.
func TestDescribeIsWhatParseDoes(t *testing.T) {
	defaults := app.DefaultSettings().Rows()
	list := app.Describe()
	if len(list) != len(values) || len(defaults) != len(values) {
		t.Errorf("%d settings are described, %d have defaults, and there are %d", len(list), len(defaults), len(values))
	}
	for _, d := range list {
		if _, known := values[d.Name]; !known || d.Default != defaults[d.Name] || !strings.HasSuffix(d.Doc, ".") || len(d.Doc) < 10 {
			t.Errorf("not described well: %+v", d)
		}
		parses := func(n int64) bool {
			text := strconv.FormatInt(n, 10)
			if d.Kind == "duration" {
				text += "s"
			}
			_, err := app.ParseSettings(map[string]string{d.Name: text})
			return err == nil
		}
		switch d.Kind {
		case "bool", "policy", "allow", "fields":
			if d.Min != 0 || d.Max != 0 {
				t.Errorf("a %s has bounds: %+v", d.Kind, d)
			}
		case "int", "duration":
			if d.Min >= d.Max || parses(d.Min-1) || !parses(d.Min) || !parses(d.Max) || parses(d.Max+1) {
				t.Errorf("these are not the bounds: %+v", d)
			}
		default:
			t.Errorf("the kind of %+v", d)
		}
	}
}

func TestRowsAreReadBack(t *testing.T) {
	texts := map[string]string{}
	for name, v := range values {
		texts[name] = v.text
	}
	for name, rows := range map[string]map[string]string{"defaults": nil, "all": texts, "one": {"limit.window": "1m30s"}} {
		want, err := app.ParseSettings(rows)
		if err != nil {
			t.Fatal(err)
		}
		for way, rows := range map[string]map[string]string{"Rows": want.Rows(), "Changed": want.Changed()} {
			got, err := app.ParseSettings(rows)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s, %s: %v (-want +got)\n%s", name, way, err, diff)
			}
		}
		if len(want.Changed()) != len(rows) {
			t.Errorf("%s: %d settings differ from their defaults: %v", name, len(rows), want.Changed())
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
