package store

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store/sqlc"
)

// eventPage is the most events that Events gives at once.
const eventPage = 1000

// Webhooks gives what every application has set of its webhooks, by
// application; one that has set nothing is not among them.
func (s *Store) Webhooks(ctx context.Context) ([]im.WebhookRow, error) {
	var hooks []im.WebhookRow
	err := s.read(ctx, func(ctx context.Context, r reader) (err error) {
		hooks, err = loadWebhooks(ctx, r.Queries)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load webhooks: %w", err)
	}
	return hooks, nil
}

func loadWebhooks(ctx context.Context, q *sqlc.Queries) ([]im.WebhookRow, error) {
	rows, err := q.Webhooks(ctx)
	if err != nil {
		return nil, err
	}
	urls, err := q.WebhookURLs(ctx)
	if err != nil {
		return nil, err
	}
	switches, err := q.WebhookSwitches(ctx)
	if err != nil {
		return nil, err
	}
	hooks := make([]im.WebhookRow, len(rows))
	at := make(map[im.AppID]*im.WebhookRow, len(rows))
	for i, r := range rows {
		hooks[i] = im.WebhookRow{
			App: r.AppID, Token: r.Token, Durable: r.Durable, SignBody: r.SignBody, Retry: r.Retry, Strict: r.Strict,
			Batch: int(r.Batch), Switches: make(map[string]bool),
		}
		at[r.AppID] = &hooks[i]
	}
	for _, u := range urls {
		if h := at[u.AppID]; h != nil {
			h.URLs = append(h.URLs, im.WebhookURL{ID: u.UrlID, URL: u.Url, Commands: strings.Fields(u.Commands)})
		}
	}
	for _, c := range switches {
		if h := at[c.AppID]; h != nil {
			h.Switches[c.Command] = c.Sent
		}
	}
	return hooks, nil
}

// SaveWebhook replaces what an application has set of its webhooks, with the row
// that says who did it. A URL of a new number is told of what happens from then
// on; one that is there no more is forgotten, with how far it was told.
func (s *Store) SaveWebhook(ctx context.Context, row im.WebhookRow, audit im.AuditRow) error {
	audit.App = row.App
	err := s.write(ctx, func(ctx context.Context, q *sqlc.Queries) error {
		if err := saveWebhook(ctx, q, row); err != nil {
			return err
		}
		return createAudit(ctx, q, audit)
	})
	if err != nil {
		return fmt.Errorf("save webhooks of application %d: %w", row.App, err)
	}
	return nil
}

func saveWebhook(ctx context.Context, q *sqlc.Queries, row im.WebhookRow) error {
	err := q.SaveWebhook(ctx, sqlc.SaveWebhookParams{
		AppID: row.App, Token: row.Token, Durable: row.Durable, SignBody: row.SignBody,
		Retry: row.Retry, Strict: row.Strict, Batch: int64(row.Batch),
	})
	if err != nil {
		return err
	}
	if err := q.ClearWebhookURLs(ctx, row.App); err != nil {
		return err
	}
	if err := q.ClearWebhookSwitches(ctx, row.App); err != nil {
		return err
	}
	for _, u := range row.URLs {
		err := q.CreateWebhookURL(ctx, sqlc.CreateWebhookURLParams{
			AppID: row.App, UrlID: u.ID, Url: u.URL, Commands: strings.Join(u.Commands, " "),
		})
		if err != nil {
			return fmt.Errorf("URL %d: %w", u.ID, err)
		}
	}
	for _, command := range slices.Sorted(maps.Keys(row.Switches)) {
		err := q.CreateWebhookSwitch(ctx, sqlc.CreateWebhookSwitchParams{AppID: row.App, Command: command, Sent: row.Switches[command]})
		if err != nil {
			return fmt.Errorf("switch of %s: %w", command, err)
		}
	}
	return moveCursors(ctx, q, row)
}

// moveCursors gives each URL a cursor and drops those that are nobody's.
func moveCursors(ctx context.Context, q *sqlc.Queries, row im.WebhookRow) error {
	old, err := q.Cursors(ctx, row.App)
	if err != nil {
		return err
	}
	all, err := q.EventRange(ctx, row.App)
	if err != nil {
		return err
	}
	last := all.Last
	had := make(map[uint32]bool, len(old))
	for _, c := range old {
		had[c.UrlID], last = true, max(last, c.Last)
		there := slices.ContainsFunc(row.URLs, func(u im.WebhookURL) bool { return u.ID == c.UrlID })
		if there {
			continue
		}
		if err := q.DropCursor(ctx, sqlc.DropCursorParams{AppID: row.App, UrlID: c.UrlID}); err != nil {
			return err
		}
	}
	for _, u := range row.URLs {
		if had[u.ID] {
			continue
		}
		if err := q.CreateCursor(ctx, sqlc.CreateCursorParams{AppID: row.App, UrlID: u.ID, Last: last}); err != nil {
			return err
		}
	}
	return nil
}

// SaveKept writes a change with the events that tell of it. Of the change holds
// what [Store.CloseSessions] and [Store.SaveLive] say.
func (s *Store) SaveKept(ctx context.Context, k im.Kept) error {
	err := s.write(ctx, func(ctx context.Context, q *sqlc.Queries) error {
		if err := closeSessions(ctx, q, k.User, k.Ended); err != nil {
			return err
		}
		if err := saveLive(ctx, q, k.Marks, k.Customs); err != nil {
			return err
		}
		return saveEvents(ctx, q, k.Events)
	})
	if err != nil {
		return fmt.Errorf("save with %d events: %w", len(k.Events), err)
	}
	return nil
}

// saveEvents writes the events that are to be kept.
func saveEvents(ctx context.Context, q *sqlc.Queries, events []im.EventRow) error {
	for _, e := range events {
		if !e.Kept() {
			continue
		}
		err := q.CreateEvent(ctx, sqlc.CreateEventParams{
			AppID: e.App, ID: e.ID, Ordered: e.Key, Command: e.Command, At: e.At,
			Epoch: int64(e.Version.Epoch), Seq: int64(e.Version.Seq), Addr: e.Addr, Device: e.Device, Body: e.Body,
		})
		if err != nil {
			return fmt.Errorf("keep event %d: %w", e.ID, err)
		}
	}
	return nil
}

// Events gives the events of an application after one and up to another, in
// order: at most limit, and never more than 1,000.
func (s *Store) Events(ctx context.Context, app im.AppID, after, upTo int64, limit int) ([]im.EventRow, error) {
	var events []im.EventRow
	err := s.read(ctx, func(ctx context.Context, r reader) (err error) {
		events, err = loadEvents(ctx, r.Queries, sqlc.EventsParams{
			AppID: app, ID: after, ID_2: upTo, Limit: int32(min(max(limit, 0), eventPage)),
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load events of application %d: %w", app, err)
	}
	return events, nil
}

// EventsOf gives those of some events of an application that are still there.
func (s *Store) EventsOf(ctx context.Context, app im.AppID, ids []int64) ([]im.EventRow, error) {
	events := make([]im.EventRow, 0, len(ids))
	err := s.read(ctx, func(ctx context.Context, r reader) error {
		for _, id := range ids {
			one, err := loadEvents(ctx, r.Queries, sqlc.EventsParams{AppID: app, ID: id - 1, ID_2: id, Limit: 1})
			if err != nil {
				return err
			}
			events = append(events, one...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("load events of application %d: %w", app, err)
	}
	return events, nil
}

func loadEvents(ctx context.Context, q *sqlc.Queries, p sqlc.EventsParams) ([]im.EventRow, error) {
	rows, err := q.Events(ctx, p)
	if err != nil {
		return nil, err
	}
	events := make([]im.EventRow, len(rows))
	for i, e := range rows {
		events[i] = im.EventRow{
			App: e.AppID, ID: e.ID, Key: e.Ordered, Command: e.Command, At: e.At,
			Version: im.Version{Epoch: uint64(e.Epoch), Seq: uint64(e.Seq)}, Addr: e.Addr, Device: e.Device, Body: e.Body,
		}
	}
	return events, nil
}

// EventRange gives the first and the last event of an application that are
// there, 0 for none.
func (s *Store) EventRange(ctx context.Context, app im.AppID) (first, last int64, err error) {
	err = s.read(ctx, func(ctx context.Context, r reader) error {
		all, err := r.EventRange(ctx, app)
		first, last = all.First, all.Last
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("find the events of application %d: %w", app, err)
	}
	return first, last, nil
}

// EventSince gives the first event of an application of that time, Unix
// milliseconds, or later; one past the last where there is none.
func (s *Store) EventSince(ctx context.Context, app im.AppID, at int64) (id int64, err error) {
	err = s.read(ctx, func(ctx context.Context, r reader) error {
		all, err := r.EventRange(ctx, app)
		if err != nil {
			return err
		}
		low, high := all.First, all.Last+1
		for low < high {
			mid := low + (high-low)/2
			next, err := r.Events(ctx, sqlc.EventsParams{AppID: app, ID: mid - 1, ID_2: math.MaxInt64, Limit: 1})
			if err != nil {
				return err
			}
			if len(next) > 0 && next[0].At < at {
				low = next[0].ID + 1
			} else {
				high = mid
			}
		}
		id = low
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("find an event of application %d: %w", app, err)
	}
	return id, nil
}

// PurgeEvents deletes the events of an application from before that time, Unix
// milliseconds, and those up to an ID, and gives the last one that went, 0 for
// none. It works in several transactions: after an error some may be gone.
func (s *Store) PurgeEvents(ctx context.Context, app im.AppID, before, upTo int64) (last int64, err error) {
	for gone := int64(purgeChunk); gone == purgeChunk; {
		err := s.write(ctx, func(ctx context.Context, q *sqlc.Queries) (err error) {
			var through int64
			through, gone, err = purgeEvents(ctx, q, app, before, upTo)
			last = max(last, through)
			return err
		})
		if err != nil {
			return last, fmt.Errorf("purge events of application %d: %w", app, err)
		}
	}
	return last, nil
}

func purgeEvents(ctx context.Context, q *sqlc.Queries, app im.AppID, before, upTo int64) (through, gone int64, err error) {
	oldest, err := q.OldestEvents(ctx, sqlc.OldestEventsParams{AppID: app, Limit: purgeChunk})
	if err != nil {
		return 0, 0, err
	}
	for _, e := range oldest {
		if e.At >= before && e.ID > upTo {
			break
		}
		through = e.ID
	}
	if through == 0 {
		return 0, 0, nil
	}
	gone, err = q.DropEvents(ctx, sqlc.DropEventsParams{AppID: app, ID: through})
	return through, gone, err
}

// Cursors gives how far each URL of an application was told.
func (s *Store) Cursors(ctx context.Context, app im.AppID) ([]im.WebhookCursor, error) {
	var cursors []im.WebhookCursor
	err := s.read(ctx, func(ctx context.Context, r reader) error {
		rows, err := r.Cursors(ctx, app)
		cursors = make([]im.WebhookCursor, len(rows))
		for i, c := range rows {
			cursors[i] = im.WebhookCursor{URL: c.UrlID, Last: c.Last}
			for _, word := range strings.Fields(c.Pending) {
				id, err := strconv.ParseInt(word, 10, 64)
				if err != nil {
					return fmt.Errorf("pending events of URL %d: %w", c.UrlID, err)
				}
				cursors[i].Pending = append(cursors[i].Pending, id)
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load cursors of application %d: %w", app, err)
	}
	return cursors, nil
}

// SaveCursor keeps how far a URL of an application was told; nothing where there
// is no such URL any more.
func (s *Store) SaveCursor(ctx context.Context, app im.AppID, c im.WebhookCursor) error {
	var pending []byte
	for i, id := range c.Pending {
		if i > 0 {
			pending = append(pending, ' ')
		}
		pending = strconv.AppendInt(pending, id, 10)
	}
	err := s.write(ctx, func(ctx context.Context, q *sqlc.Queries) error {
		return q.SaveCursor(ctx, sqlc.SaveCursorParams{AppID: app, UrlID: c.URL, Last: c.Last, Pending: string(pending)})
	})
	if err != nil {
		return fmt.Errorf("save cursor of URL %d of application %d: %w", c.URL, app, err)
	}
	return nil
}
