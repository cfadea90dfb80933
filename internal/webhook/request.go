package webhook

import (
	"fmt"
	"strings"

	"github.com/porchlight-im/porchlight/internal/im"
)

// eventID gives the ID of an event that a receiver sees: the same in a repeat and
// never that of another.
func eventID(row *im.EventRow) string {
	if row.Kept() {
		return fmt.Sprintf("%d.%d", row.Version.Epoch, row.ID)
	}
	return fmt.Sprintf("%d.m%d", row.Version.Epoch, -row.ID)
}

// request makes the request that carries a batch. One event goes as the
// documentation has it; only those that are kept have anything of ours in the
// body.
func (tg *target) request(batch []*item) *request {
	row := tg.row
	first := &batch[0].EventRow
	r := &request{
		app: row.App, url: tg.url.URL, command: first.Command, id: eventID(first), addr: first.Addr, device: first.Device,
		token: row.Token, sign: row.SignBody || first.Kept(), body: []byte(first.Body),
	}
	if len(batch) > 1 {
		r.command, r.addr, r.device = cmdBatch, "", "Unknown"
		r.body = batchBody(batch)
		return r
	}
	if first.Version.Seq != 0 {
		r.version = version(first.Version)
	}
	if first.Kept() {
		r.body = keptBody(first, "")
	}
	return r
}

// keptBody gives the body of an event that is kept, with its ID and version, and
// with more fields where they are given.
func keptBody(row *im.EventRow, more string) []byte {
	var b strings.Builder
	b.WriteString(strings.TrimSuffix(row.Body, "}"))
	fmt.Fprintf(&b, `,"Id":%q`, eventID(row))
	if row.Version.Seq != 0 {
		fmt.Fprintf(&b, `,"Version":%q`, version(row.Version))
	}
	b.WriteString(more + "}")
	return []byte(b.String())
}

// batchBody gives the body of several events. Each has in it what would be in
// the query of a request of its own.
func batchBody(batch []*item) []byte {
	b := []byte(`{"CallbackCommand":"` + cmdBatch + `","Events":[`)
	for i, it := range batch {
		if i > 0 {
			b = append(b, ',')
		}
		more := fmt.Sprintf(`,"ClientIP":%q,"OptPlatform":%q`, it.Addr, it.Device)
		b = append(b, keptBody(&it.EventRow, more)...)
	}
	return append(b, "]}"...)
}
