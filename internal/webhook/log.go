package webhook

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/porchlight-im/porchlight/internal/im"
)

// How much the log holds of an application.
const (
	maxDeliveries = 200 // and as many that failed
	maxLogged     = 2 << 10
)

// deliveryLog holds the latest requests of an application, and the latest that
// failed, which the others do not push out.
type deliveryLog struct {
	mu     sync.Mutex // level 0; guards all below
	all    ring
	failed ring
}

// ring holds the latest of something.
type ring struct {
	rows []im.Delivery
	next int
}

func (r *ring) add(d im.Delivery) {
	if len(r.rows) < maxDeliveries {
		r.rows = append(r.rows, d)
		return
	}
	r.rows[r.next] = d
	r.next = (r.next + 1) % maxDeliveries
}

// newest gives the rows, the newest first.
func (r *ring) newest() []im.Delivery {
	rows := append(slices.Clone(r.rows[r.next:]), r.rows[:r.next]...)
	slices.Reverse(rows)
	return rows
}

func (l *deliveryLog) add(d im.Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all.add(d)
	if d.Outcome != sentOK {
		l.failed.add(d)
	}
}

// read gives the rows, the newest first, with what users wrote left out.
func (l *deliveryLog) read(q im.DeliveryQuery) []im.Delivery {
	l.mu.Lock()
	rows := l.all.newest()
	if q.Failed {
		rows = l.failed.newest()
	}
	l.mu.Unlock()
	rows = slices.DeleteFunc(rows, func(r im.Delivery) bool { return q.URL != 0 && r.URL != q.URL })
	rows = rows[:min(len(rows), max(q.Limit, 0))]
	for i := range rows {
		rows[i].Body = redact(rows[i].Body)
	}
	return rows
}

// written are the fields that hold what users wrote.
var written = map[string]bool{
	"CustomStatus": true, "Value": true, "Remark": true, "AddWording": true, "GroupName": true, "TagName": true, "UserDefinedData": true,
}

// redact gives a body without what users wrote. One that was cut off is not
// shown at all.
func redact(body string) string {
	var v any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		return fmt.Sprintf("(%d bytes or more)", len(body))
	}
	redactValue(v)
	return encode(v)
}

func redactValue(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			redactValue(e)
		}
	case map[string]any:
		for name, e := range v {
			if text, ok := e.(string); ok && written[name] && text != "" {
				v[name] = fmt.Sprintf("(%d bytes)", len(text))
				continue
			}
			redactValue(e)
		}
	}
}
