package app

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Settings are the switches, gates, policies and limits of an application. The
// tags are all there is to say of each: the name under which a value that
// differs from the default is stored, the bounds, which are seconds for a
// duration, and what it means, for the operator as for the reader here.
type Settings struct {
	StatusOn      bool `setting:"status.on" doc:"Users may query and watch others' statuses; off, those calls fail with code 72001."`
	StatusEdition bool `setting:"status.edition" doc:"The edition includes user status; without it clients refuse those calls (7013)."`
	FriendNotices bool `setting:"status.friend_notices" doc:"Users are told of their friends' statuses without a subscription."`

	HideFromBlocked bool `setting:"status.hide_from_blocked" doc:"Who is on a user's blocklist sees that user as logged out, always."`

	Login          im.Policy `setting:"login.policy" doc:"Platforms a user may be logged in from at once: single, dual, triple or multi."`
	NativeSessions int       `setting:"login.native_sessions" min:"1" max:"100" doc:"Sessions of a user on one native platform under multi."`
	WebSessions    int       `setting:"login.web_sessions" min:"1" max:"100" doc:"Web sessions of a user."`

	AllowType     im.Allow  `setting:"friend.allow_type" doc:"Who may add a user who has not chosen: any, confirm or nobody."`
	KeepFriends   bool      `setting:"friend.keep_blocked" doc:"Blocking a friend does not end the friendship."`
	FriendFields  im.Fields `setting:"friend.fields" doc:"Custom fields of friends, such as Team,Level:number; others hold texts."`
	ProfileFields im.Fields `setting:"profile.fields" doc:"Custom fields of profiles, in the same form."`
	OwnRank       bool      `setting:"profile.own_rank" doc:"Users may set their own level and role; off, only administrators may."`

	MaxFriends      int `setting:"limit.friends" min:"0" max:"10000" doc:"Friends of a user."`
	MaxApplications int `setting:"limit.applications" min:"1" max:"100" doc:"Friend applications on a list; the oldest make room."`
	MaxBlocked      int `setting:"limit.blocked" min:"0" max:"10000" doc:"Users on a blocklist."`
	MaxFriendGroups int `setting:"limit.friend_groups" min:"0" max:"1000" doc:"Friend groups of a user."`
	MaxGroupBytes   int `setting:"limit.group_name_bytes" min:"1" max:"500" doc:"Bytes of UTF-8 in the name of a friend group."`
	MaxRemarkBytes  int `setting:"limit.remark_bytes" min:"0" max:"500" doc:"Bytes of UTF-8 in what a user calls a friend."`
	MaxWordingBytes int `setting:"limit.wording_bytes" min:"0" max:"500" doc:"Bytes of UTF-8 in the words of a friend application."`
	MaxFieldBytes   int `setting:"limit.field_bytes" min:"0" max:"2000" doc:"Bytes of UTF-8 in a text of a profile or a custom field."`

	MaxQuery       int           `setting:"limit.query" min:"1" max:"5000" doc:"Users in one status query."`
	MaxSubscribe   int           `setting:"limit.subscribe" min:"1" max:"1000" doc:"Users in one subscribe."`
	MaxUnsubscribe int           `setting:"limit.unsubscribe" min:"1" max:"1000" doc:"Users in one unsubscribe."`
	MaxSubscribed  int           `setting:"limit.subscribed" min:"1" max:"10000" doc:"Users on a subscription list; the oldest make room."`
	MaxCustomBytes int           `setting:"limit.custom_bytes" min:"0" max:"100" doc:"Bytes of UTF-8 in a custom status."`
	CallsPerWindow int           `setting:"limit.calls" min:"0" max:"100000" doc:"Calls of one limited kind in limit.window; 0 for no limit."`
	CallsWindow    time.Duration `setting:"limit.window" min:"1" max:"3600" doc:"The time over which limit.calls counts."`
	RESTLimited    bool          `setting:"rest.limited" doc:"REST commands are held to their rates; over one, calls fail with code 60007."`
	Deletion       bool          `setting:"account.deletion" doc:"Back ends may delete accounts; off, those calls fail with code 71000."`
	KeepOut        time.Duration `setting:"account.keep_out" min:"0" max:"31536000" doc:"How long deleted accounts are not imported (70399)."`
	MaxTokenLife   time.Duration `setting:"limit.token_life" min:"0" max:"315360000" doc:"Lifetime of a UserSig; 0 for no limit."`
}

// DefaultSettings gives what an application starts with.
func DefaultSettings() Settings {
	return Settings{
		StatusOn: true, StatusEdition: true, Deletion: true,
		Login: im.PolicyDual, NativeSessions: 1, WebSessions: 1,
		AllowType: "any", OwnRank: true,
		MaxFriends: im.MaxFriends, MaxApplications: im.MaxApplications, MaxBlocked: im.MaxBlocked, MaxFriendGroups: im.MaxFriendGroups,
		MaxGroupBytes: im.MaxGroupBytes, MaxRemarkBytes: im.MaxRemarkBytes, MaxWordingBytes: im.MaxWordingBytes, MaxFieldBytes: im.MaxFieldBytes,
		MaxQuery: im.MaxQuery, MaxSubscribe: im.MaxSubscribe, MaxUnsubscribe: im.MaxSubscribe,
		MaxSubscribed: im.MaxSubscribed, MaxCustomBytes: im.MaxCustomBytes,
		CallsPerWindow: im.MaxCallsWindow, CallsWindow: im.CallsWindow,
	}
}

// Setting describes one of the settings.
type Setting struct {
	Name     string
	Kind     string // bool, int, duration, policy, allow or fields
	Default  string // as a value is written
	Doc      string // one sentence
	Min, Max int64  // of an int, or of a duration in seconds; 0 and 0 for the other kinds
}

// Describe gives all settings, in the order of their fields.
func Describe() []Setting {
	defaults := reflect.ValueOf(DefaultSettings())
	list := make([]Setting, defaults.NumField())
	for i := range list {
		tag := defaults.Type().Field(i).Tag
		d := Setting{Name: tag.Get("setting"), Doc: tag.Get("doc"), Default: fmt.Sprint(defaults.Field(i))}
		switch defaults.Field(i).Interface().(type) {
		case bool:
			d.Kind = "bool"
		case im.Policy:
			d.Kind = "policy"
		case im.Allow:
			d.Kind = "allow"
		case im.Fields:
			d.Kind = "fields"
		case int:
			d.Kind, d.Min, d.Max = "int", bound(tag.Get("min")), bound(tag.Get("max"))
		case time.Duration:
			d.Kind, d.Min, d.Max = "duration", bound(tag.Get("min")), bound(tag.Get("max"))
		}
		list[i] = d
	}
	return list
}

func bound(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic("app: a setting without a bound: " + err.Error())
	}
	return n
}

// Rows gives the values of all settings by name, as they are written.
func (s Settings) Rows() map[string]string {
	v := reflect.ValueOf(s)
	rows := make(map[string]string, v.NumField())
	for i, d := range Describe() {
		rows[d.Name] = fmt.Sprint(v.Field(i))
	}
	return rows
}

// Changed gives those of the rows that differ from the defaults.
func (s Settings) Changed() map[string]string {
	rows := s.Rows()
	for name, value := range DefaultSettings().Rows() {
		if rows[name] == value {
			delete(rows, name)
		}
	}
	return rows
}

// ParseSettings gives the defaults with rows of names and values laid over
// them. Unknown names and values out of range are errors, which say what there
// is and what is allowed.
func ParseSettings(rows map[string]string) (Settings, error) {
	s := DefaultSettings()
	v := reflect.ValueOf(&s).Elem()
	unknown := maps.Clone(rows)
	for i, d := range Describe() {
		text, ok := rows[d.Name]
		if !ok {
			continue
		}
		delete(unknown, d.Name)
		if err := d.parse(v.Field(i).Addr().Interface(), text); err != nil {
			return Settings{}, fmt.Errorf("setting %s: %w", d.Name, err)
		}
	}
	if len(unknown) > 0 {
		first := slices.Min(slices.Collect(maps.Keys(unknown)))
		return Settings{}, fmt.Errorf("setting %q: there is none of that name; there are %s", first, names())
	}
	return s, nil
}

func names() string {
	var list []string
	for _, d := range Describe() {
		list = append(list, d.Name)
	}
	return strings.Join(list, ", ")
}

// parse reads a value of the setting into a field.
func (d Setting) parse(field any, text string) error {
	switch p := field.(type) {
	case *bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		*p = b
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil || int64(n) < d.Min || int64(n) > d.Max {
			return fmt.Errorf("%q is not a number from %d to %d", text, d.Min, d.Max)
		}
		*p = n
	case *time.Duration:
		least, most := time.Duration(d.Min)*time.Second, time.Duration(d.Max)*time.Second
		t, err := time.ParseDuration(text)
		if err != nil || t%time.Second != 0 || t < least || t > most {
			return fmt.Errorf("%q is not a time in whole seconds, such as 90s or 24h, from %s to %s", text, least, most)
		}
		*p = t
	case *im.Policy:
		policy, ok := im.ParsePolicy(text)
		if !ok {
			return fmt.Errorf("%q is no policy: single, dual, triple or multi", text)
		}
		*p = policy
	case *im.Allow:
		allow, ok := im.ParseAllow(text)
		if !ok {
			return fmt.Errorf("%q is none of any, confirm and nobody", text)
		}
		*p = allow
	case *im.Fields:
		fields, err := im.ParseFields(text)
		if err != nil {
			return err
		}
		*p = fields
	default:
		panic(fmt.Sprintf("app: a setting of type %T", field))
	}
	return nil
}
