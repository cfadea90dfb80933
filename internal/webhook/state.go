package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/porchlight-im/porchlight/internal/im"
)

// platforms are the names of platforms, as most pages of the documentation
// write them.
var platforms = [im.Platforms]string{
	im.Web: "Web", im.Android: "Android", im.IPhone: "iOS", im.IPad: "iPad", im.Mac: "Mac", im.Windows: "Windows", im.Linux: "Linux",
}

// device gives OptPlatform of a caller. It knows no Linux.
func device(c im.Caller) string {
	switch {
	case c.Kind == im.CallerBackend:
		return "RESTAPI"
	case c.Kind == im.CallerClient && c.Platform != im.Linux && int(c.Platform) < len(platforms):
		return platforms[c.Platform]
	}
	return "Unknown"
}

// stateDevice is device as State.StateChange alone writes it.
func stateDevice(c im.Caller) string {
	if d := device(c); d != "iOS" {
		return d
	}
	return "IOS"
}

func address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.Unmap().WithZone("").String()
}

// stateBody is the body of State.StateChange.
type stateBody struct {
	Command string    `json:"CallbackCommand"`
	At      int64     `json:"EventTime"`
	Info    stateInfo `json:"Info"`
	Kicked  []kicked  `json:"KickedDevice,omitempty"`
}

type stateInfo struct {
	Action string    `json:"Action"`
	User   im.UserID `json:"To_Account"`
	Reason string    `json:"Reason"`
	Custom *string   `json:"CustomStatus,omitempty"`
}

type kicked struct {
	Platform string `json:"Platform"`
}

// reason gives Action and Reason. Silence is a timeout for native clients alone:
// web pages and mini programs are said to be closed.
func reason(e *im.StateEvent) (action, why string) {
	switch e.Action {
	case im.StateLogin:
		return "Login", "Register"
	case im.StateLogout:
		return "Logout", "Unregister"
	case im.StateCustom:
		return "CustomStatusChange", "SetCustomStatus"
	}
	if e.Cause == im.CauseSilence && e.By.Platform != im.Web {
		return "Disconnect", "TimeOut"
	}
	return "Disconnect", "LinkClose"
}

// Events makes the rows of what became of users: those with a place to be
// committed and told, the others to be told. Users who did not come back after
// the server had ended make one event together, where they stand at places in a
// row; the other places are closed.
func (d *Dispatcher) Events(events []im.StateEvent) []im.EventRow {
	rows := make([]im.EventRow, 0, len(events))
	for len(events) > 0 {
		if n := d.lost(events); n > 1 {
			rows = append(rows, d.lostRow(events[:n]))
			d.Void(events[0].User.App, events[0].Place+1, n-1)
			events = events[n:]
			continue
		}
		rows = append(rows, d.stateRow(&events[0]))
		events = events[1:]
	}
	return rows
}

func (d *Dispatcher) stateRow(e *im.StateEvent) im.EventRow {
	b := stateBody{Command: cmdState, At: e.At}
	b.Info.Action, b.Info.Reason = reason(e)
	b.Info.User = e.User.User
	if e.Action == im.StateCustom {
		b.Info.Custom = &e.Custom
	}
	for _, p := range e.Kicked {
		b.Kicked = append(b.Kicked, kicked{platforms[p]})
	}
	return d.row(im.EventRow{
		App: e.User.App, ID: e.Place, Key: string(e.User.User), Command: cmdState, At: e.At,
		Version: e.Version, Addr: address(e.By.Addr), Device: stateDevice(e.By),
	}, b)
}

// row fills in the body, and numbers an event that is not kept.
func (d *Dispatcher) row(row im.EventRow, body any) im.EventRow {
	row.Body = encode(body)
	row.Version.Epoch = d.cfg.Epoch
	if row.ID == 0 {
		row.ID = -int64(d.numbers.Add(1))
	}
	return row
}

// encode gives the JSON of a body. What users wrote stays as it is, save what
// JSON must escape.
func encode(body any) string {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		panic(fmt.Sprintf("webhook: a body that is no JSON: %v", err)) // structs of texts and numbers
	}
	return strings.TrimSuffix(text.String(), "\n")
}

// maxLost is how many users one event tells of.
const maxLost = 500

// lost says how many of the first events tell of users who did not come back
// after the server had ended, at places in a row.
func (d *Dispatcher) lost(events []im.StateEvent) int {
	first := &events[0]
	if first.Place == 0 || !d.wants(first.User.App, cmdLost) {
		return 0
	}
	n := 0
	for n < min(len(events), maxLost) {
		e := &events[n]
		if e.Action != im.StateLost || e.Cause != im.CauseNode || e.User.App != first.User.App || e.Place != first.Place+int64(n) {
			break
		}
		n++
	}
	return n
}

// lostBody is the body of Porchlight.Lost.
type lostBody struct {
	Command string     `json:"CallbackCommand"`
	At      int64      `json:"EventTime"`
	Action  string     `json:"Action"`
	Reason  string     `json:"Reason"`
	Users   []lostUser `json:"Users"`
}

type lostUser struct {
	User     im.UserID `json:"To_Account"`
	Platform string    `json:"Platform"`
	Version  string    `json:"Version"`
}

func (d *Dispatcher) lostRow(events []im.StateEvent) im.EventRow {
	b := lostBody{Command: cmdLost, At: events[0].At, Action: "Disconnect", Reason: "LinkClose"}
	for _, e := range events {
		b.Users = append(b.Users, lostUser{e.User.User, platforms[e.By.Platform], version(e.Version)})
	}
	first := events[0]
	return d.row(im.EventRow{
		App: first.User.App, ID: first.Place, Command: cmdLost, At: first.At, Device: "Unknown",
	}, b)
}

func version(v im.Version) string { return fmt.Sprintf("%d.%d", v.Epoch, v.Seq) }
