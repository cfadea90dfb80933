package gateway

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"strconv"

	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/wire"
)

// refetch is how often, in seconds, a client asks again for what it may do.
const refetch = 3600

// abilities gives the paid abilities of an application: those that are served
// here and that its edition includes. The client refuses the others by itself.
func abilities(a *app.App) string {
	if a.Settings.StatusEdition {
		return wire.Abilities(wire.AbilityStatus)
	}
	return wire.Abilities()
}

func getAbilities(_ context.Context, k *call) ([]byte, error) {
	body := wire.Abilitied{Answer: wire.OK(), Bits: abilities(k.app), Expires: refetch}
	return wire.AppendAnswer(nil, k.req.Head.Command, k.req.Head.Seq, k.now, body), nil
}

// getConfig tells the client the limits that differ from the ones it was built
// with. A version of 0 is the one it has.
func getConfig(_ context.Context, k *call) ([]byte, error) {
	body := configured(k.app.ID, cloudConfig(&k.app.Settings))
	return wire.AppendAnswer(nil, k.req.Head.Command, k.req.Head.Seq, k.now, body), nil
}

// configured gives a configuration with a version of its own.
func configured(id im.AppID, text string) wire.Config {
	body := wire.Config{Answer: wire.OK(), Text: "{}", Expires: refetch, AppID: uint32(id)}
	if text != "" {
		h := fnv.New32a()
		_, _ = h.Write([]byte(text)) // a hash takes all
		body.Text, body.Version = text, int64(h.Sum32())|1
	}
	return body
}

// cloudConfig gives the client's configuration as the text of a flat JSON
// object, or "" where the application has the limits that clients are built with.
func cloudConfig(s *app.Settings) string {
	if limitsConfig(s) == builtIn {
		return ""
	}
	return limitsConfig(s)
}

var builtIn = func() string { s := app.DefaultSettings(); return limitsConfig(&s) }()

// limitsConfig gives the limits that a client can be told. The three counts go
// together: the client looks at the first only.
func limitsConfig(s *app.Settings) string {
	text, _ := json.Marshal(map[string]string{ // strings alone: cannot fail
		"status_query_count":  strconv.Itoa(s.MaxQuery),
		"status_sub_count":    strconv.Itoa(s.MaxSubscribe),
		"status_unsub_count":  strconv.Itoa(s.MaxUnsubscribe),
		"cmd_frequency_limit": frequencies(s),
	})
	return string(text)
}

// frequencies gives the call limits in the client's form.
func frequencies(s *app.Settings) string {
	type limit struct {
		Command  string  `json:"cmd"`
		Interval float64 `json:"interval"` // seconds
		Count    int     `json:"count"`
	}
	count := s.CallsPerWindow
	if count == 0 {
		count = noLimit
	}
	var limits []limit
	for _, name := range []string{"ws_get_user_status", "ws_status_subscribe", "ws_status_unsubscribe"} {
		limits = append(limits, limit{name, s.CallsWindow.Seconds(), count})
	}
	text, _ := json.Marshal(limits) // plain values: cannot fail
	return string(text)
}

// noLimit is a count that no client reaches.
const noLimit = 1_000_000
