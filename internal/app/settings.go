package app

import (
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Settings are the switches, gates, policies and limits of an application. The
// tag is the name under which one that differs from its default is stored.
type Settings struct {
	// StatusOn switches user status on: query of others, subscribing and
	// notices. Off, those calls fail with CodeStatusOff.
	StatusOn bool `setting:"status.on"`
	// StatusEdition says that the application's edition includes user status.
	// Without it the calls fail with CodeEdition and the client refuses them
	// by itself.
	StatusEdition bool `setting:"status.edition"`
	// FriendNotices tells users of their friends' statuses without a
	// subscription.
	FriendNotices bool `setting:"status.friend_notices"`

	// Login is the multi-login policy: single, dual, triple or multi.
	Login im.Policy `setting:"login.policy"`
	// NativeSessions is how many sessions a user may have on one native
	// platform under the multi policy.
	NativeSessions int `setting:"login.native_sessions"`
	// WebSessions is how many web sessions a user may have.
	WebSessions int `setting:"login.web_sessions"`

	MaxQuery       int           `setting:"limit.query"`        // users in one status query
	MaxSubscribe   int           `setting:"limit.subscribe"`    // users in one subscribe
	MaxUnsubscribe int           `setting:"limit.unsubscribe"`  // users in one unsubscribe
	MaxSubscribed  int           `setting:"limit.subscribed"`   // length of a subscription list
	MaxCustomBytes int           `setting:"limit.custom_bytes"` // length of a custom status; 100 at most
	CallsPerWindow int           `setting:"limit.calls"`        // calls of one limited kind in a window, 0 for no limit
	CallsWindow    time.Duration `setting:"limit.window"`
	MaxTokenLife   time.Duration `setting:"limit.token_life"` // of a UserSig, 0 for no limit
}

// DefaultSettings gives what an application starts with.
func DefaultSettings() Settings {
	return Settings{
		StatusOn: true, StatusEdition: true,
		Login: im.PolicyDual, NativeSessions: 1, WebSessions: 1,
		MaxQuery: im.MaxQuery, MaxSubscribe: im.MaxSubscribe, MaxUnsubscribe: im.MaxSubscribe,
		MaxSubscribed: im.MaxSubscribed, MaxCustomBytes: im.MaxCustomBytes,
		CallsPerWindow: im.MaxCallsWindow, CallsWindow: im.CallsWindow,
	}
}

// ParseSettings gives the defaults with rows of names and values laid over
// them. Unknown names and values out of range are errors.
func ParseSettings(rows map[string]string) (Settings, error) {
	s := DefaultSettings()
	v := reflect.ValueOf(&s).Elem()
	known := 0
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("setting")
		text, ok := rows[name]
		if !ok {
			continue
		}
		known++
		if err := parse(v.Field(i), text); err != nil {
			return Settings{}, fmt.Errorf("setting %s: %w", name, err)
		}
	}
	if known < len(rows) {
		return Settings{}, fmt.Errorf("%d settings are unknown to this version", len(rows)-known)
	}
	if s.MaxCustomBytes > im.MaxCustomBytes {
		return Settings{}, fmt.Errorf("setting limit.custom_bytes: %d is over %d", s.MaxCustomBytes, im.MaxCustomBytes)
	}
	return s, nil
}

func parse(field reflect.Value, text string) error {
	switch p := field.Addr().Interface().(type) {
	case *bool:
		b, err := strconv.ParseBool(text)
		*p = b
		return err
	case *int:
		n, err := strconv.Atoi(text)
		if err == nil && n < 0 {
			err = fmt.Errorf("%d is below 0", n)
		}
		*p = n
		return err
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err == nil && d < 0 {
			err = fmt.Errorf("%s is below 0", d)
		}
		*p = d
		return err
	case *im.Policy:
		policy, ok := im.ParsePolicy(text)
		if !ok {
			return fmt.Errorf("%q is no policy: single, dual, triple or multi", text)
		}
		*p = policy
		return nil
	default:
		panic("app: a setting of type " + field.Type().String())
	}
}
