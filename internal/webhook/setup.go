package webhook

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Webhook gives what an application has set, without its token, and how it
// stands with each URL.
func (d *Dispatcher) Webhook(app im.AppID) im.WebhookView {
	v := im.WebhookView{WebhookRow: im.WebhookRow{App: app}}
	t := d.tenant(app)
	if t == nil {
		return v
	}
	v.WebhookRow = *t.row.Load()
	v.HasToken, v.Token = v.Token != "", ""
	for _, ep := range *t.endpoints.Load() {
		v.States = append(v.States, ep.state())
	}
	return v
}

// ChangeWebhook changes what an application has set, all that is given or
// nothing. It is committed with a row that says who did it, never what the token
// is, and then in effect. It refuses with CodeInvalid what cannot be. The caller
// sees to it that there is such an application.
func (d *Dispatcher) ChangeWebhook(ctx context.Context, actor string, app im.AppID, c im.WebhookChange) error {
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return fmt.Errorf("wait for another change: %w", ctx.Err())
	}
	row := im.WebhookRow{App: app, Batch: 1}
	t := d.tenant(app)
	if t != nil {
		row = *t.row.Load()
	}
	row.Switches, row.URLs = maps.Clone(row.Switches), slices.Clone(row.URLs)
	said, err := change(&row, c)
	if err != nil || len(said) == 0 {
		return err
	}
	audit := im.AuditRow{At: time.Now().UnixMilli(), Actor: actor, Action: "webhook.change", Detail: strings.Join(said, ", ")}
	if err := d.cfg.Store.SaveWebhook(ctx, row, audit); err != nil {
		return err
	}
	if t == nil {
		if t, err = d.newTenant(ctx, app); err != nil {
			return err
		}
	}
	d.apply(t, &row)
	return nil
}

// change changes a row and says in words what is new.
func change(row *im.WebhookRow, c im.WebhookChange) (said []string, err error) {
	if c.Token != nil && *c.Token != row.Token {
		if err := checkToken(*c.Token); err != nil {
			return nil, err
		}
		said = append(said, map[bool]string{true: "token: removed", false: "token: replaced"}[*c.Token == ""])
		row.Token = *c.Token
	}
	for name, flip := range map[string]struct {
		to *bool
		is *bool
	}{
		"durable": {c.Durable, &row.Durable}, "signBody": {c.SignBody, &row.SignBody},
		"retry": {c.Retry, &row.Retry}, "strict": {c.Strict, &row.Strict},
	} {
		if flip.to != nil && *flip.to != *flip.is {
			said = append(said, fmt.Sprintf("%s: %t → %t", name, *flip.is, *flip.to))
			*flip.is = *flip.to
		}
	}
	slices.Sort(said)
	if c.Batch != nil && *c.Batch != row.Batch {
		if *c.Batch < 1 || *c.Batch > im.MaxWebhookBatch {
			return nil, im.Errorf(im.CodeInvalid, "batch: want 1 to %d events in one request", im.MaxWebhookBatch)
		}
		said = append(said, fmt.Sprintf("batch: %d → %d", row.Batch, *c.Batch))
		row.Batch = *c.Batch
	}
	switched, err := changeSwitches(row, c.Switches)
	if err != nil {
		return nil, err
	}
	urls, err := changeURLs(row, c)
	if err != nil {
		return nil, err
	}
	if row.Token == "" && (row.Durable || row.SignBody) {
		return nil, im.Errorf(im.CodeInvalid, "token: durable and signBody sign each body with it; set one first")
	}
	return append(append(said, switched...), urls...), nil
}

func changeSwitches(row *im.WebhookRow, switches map[string]*bool) (said []string, err error) {
	if row.Switches == nil {
		row.Switches = make(map[string]bool)
	}
	for _, name := range slices.Sorted(maps.Keys(switches)) {
		if !known(name) {
			return nil, im.Errorf(im.CodeInvalid, "command %q: there is none of that name", name)
		}
		was := sent(row, name)
		delete(row.Switches, name)
		if on := switches[name]; on != nil && *on != sent(row, name) {
			row.Switches[name] = *on
		}
		if is := sent(row, name); is != was {
			said = append(said, fmt.Sprintf("%s: %t → %t", name, was, is))
		}
	}
	return said, nil
}

func changeURLs(row *im.WebhookRow, c im.WebhookChange) (said []string, err error) {
	for _, id := range c.Remove {
		i := slices.IndexFunc(row.URLs, func(u im.WebhookURL) bool { return u.ID == id })
		if i < 0 {
			return nil, noURL(row.App, id)
		}
		said = append(said, fmt.Sprintf("URL %d removed", id))
		row.URLs = slices.Delete(row.URLs, i, i+1)
	}
	for _, u := range c.Edit {
		i := slices.IndexFunc(row.URLs, func(o im.WebhookURL) bool { return o.ID == u.ID })
		if i < 0 {
			return nil, noURL(row.App, u.ID)
		}
		if err := checkURL(&u); err != nil {
			return nil, err
		}
		if row.URLs[i].URL != u.URL || !slices.Equal(row.URLs[i].Commands, u.Commands) {
			said = append(said, fmt.Sprintf("URL %d: %s for %s", u.ID, hideQuery(u.URL), forWhat(u.Commands)))
		}
		row.URLs[i] = u
	}
	if c.Add == nil {
		return said, nil
	}
	if len(row.URLs) >= im.MaxWebhookURLs {
		return nil, im.Errorf(im.CodeInvalid, "an application has at most %d URLs; remove one first", im.MaxWebhookURLs)
	}
	if err := checkURL(c.Add); err != nil {
		return nil, err
	}
	c.Add.ID = 1
	for _, u := range row.URLs {
		c.Add.ID = max(c.Add.ID, u.ID+1)
	}
	row.URLs = append(row.URLs, *c.Add)
	return append(said, fmt.Sprintf("URL %d added: %s for %s", c.Add.ID, hideQuery(c.Add.URL), forWhat(c.Add.Commands))), nil
}

// noURL is the error for a URL that an application has not got.
func noURL(app im.AppID, id uint32) error {
	return im.Errorf(im.CodeInvalid, "application %d has no webhook URL %d; show its webhooks to see which there are", app, id)
}

func forWhat(commands []string) string {
	if len(commands) == 0 {
		return "everything"
	}
	return strings.Join(commands, " ")
}

// hideQuery gives a URL without its query, in which a secret may be.
func hideQuery(text string) string {
	before, _, there := strings.Cut(text, "?")
	if there {
		return before + "?…"
	}
	return before
}

func checkToken(token string) error {
	odd := func(r rune) bool { return r < 0x21 || r > 0x7e }
	if len(token) > im.MaxWebhookToken || strings.ContainsFunc(token, odd) {
		return im.Errorf(im.CodeInvalid, "token: want 1 to %d characters of printable ASCII without spaces, or none", im.MaxWebhookToken)
	}
	return nil
}

// checkURL refuses what no webhook may go to, whatever its host resolves to.
func checkURL(u *im.WebhookURL) error {
	bad := func(format string, args ...any) error { return im.Errorf(im.CodeInvalid, "url: "+format, args...) }
	odd := func(r rune) bool { return r < 0x21 || r > 0x7e }
	p, err := url.Parse(u.URL)
	switch {
	case len(u.URL) > im.MaxWebhookURL || strings.ContainsFunc(u.URL, odd):
		return bad("want at most %d characters of printable ASCII without spaces", im.MaxWebhookURL)
	case err != nil:
		return bad("it cannot be read")
	case p.Scheme != "http" && p.Scheme != "https":
		return bad("want one that begins with http:// or https://")
	case p.User != nil:
		return bad("no user and password in it; a token signs requests")
	case strings.Contains(u.URL, "#"):
		return bad("no fragment in it")
	case !validHost(p.Hostname()):
		return bad("the host is neither an address nor a name of at most 63 letters, digits, hyphens and dots")
	}
	if _, err := strconv.ParseUint(p.Port(), 10, 16); p.Port() != "" && err != nil || p.Port() == "0" || strings.HasSuffix(p.Host, ":") {
		return bad("the port is not a number from 1 to 65535")
	}
	for _, name := range u.Commands {
		if !known(name) {
			return im.Errorf(im.CodeInvalid, "command %q: there is none of that name", name)
		}
	}
	return nil
}

func validHost(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Zone() == ""
	}
	if host == "" || len(host) > 63 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		odd := func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-'
		}
		if label == "" || strings.ContainsFunc(label, odd) || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return true
}

// Deliveries gives the latest requests of an application, the newest first, or
// the latest that failed, without what users wrote.
func (d *Dispatcher) Deliveries(app im.AppID, q im.DeliveryQuery) []im.Delivery {
	t := d.tenant(app)
	if t == nil {
		return nil
	}
	return t.log.read(q)
}

// ReplayWebhook sends the kept events after one again, to one URL; or, with after
// below zero, those of a time, Unix milliseconds, and later. It gives the event
// after which it begins.
func (d *Dispatcher) ReplayWebhook(ctx context.Context, app im.AppID, id uint32, after, since int64) (int64, error) {
	ep, err := d.endpoint(app, id)
	if err != nil {
		return 0, err
	}
	if after < 0 {
		first, err := d.cfg.Store.EventSince(ctx, app, since)
		if err != nil {
			return 0, err
		}
		after = max(first-1, 0)
	}
	after = min(after, ep.tenant.safe())
	ep.replay(after)
	return after, nil
}

// TestWebhook sends one event that says it is a test to one URL, now, and tells
// what became of it. It is a login of the user that is given. One that succeeds
// ends the pause of a URL that failed.
func (d *Dispatcher) TestWebhook(ctx context.Context, app im.AppID, id uint32, user im.UserID) (im.Delivery, error) {
	ep, err := d.endpoint(app, id)
	if err != nil {
		return im.Delivery{}, err
	}
	e := im.StateEvent{
		User: im.UserKey{App: app, User: user}, Action: im.StateLogin, By: im.CallerOf(ctx), At: time.Now().UnixMilli(),
	}
	it := &item{EventRow: d.stateRow(&e)}
	r := ep.conf.Load().request([]*item{it})
	r.test = true
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Timeout)
	defer cancel()
	res := send(ctx, ep.client, r)
	line := ep.delivery(r, 1, res)
	ep.tenant.log.add(line)
	if res.outcome == sentOK {
		ep.resume()
	}
	return line, nil
}

func (d *Dispatcher) endpoint(app im.AppID, id uint32) (*endpoint, error) {
	if t := d.tenant(app); t != nil {
		for _, ep := range *t.endpoints.Load() {
			if ep.id == id {
				return ep, nil
			}
		}
	}
	return nil, noURL(app, id)
}
