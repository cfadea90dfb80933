package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Figures counts what happens to applications.
type Figures interface {
	// Take gives the logins and the most users at once since it was called last.
	Take() map[im.AppID]im.Day
}

// DayStore keeps what happened on each day.
type DayStore interface {
	// AddDay adds logins to a day, and raises the most users at once to at least
	// so many.
	AddDay(ctx context.Context, app im.AppID, d im.Day) error
	// Days gives the days from since to last, the last one first.
	Days(ctx context.Context, app im.AppID, since, last int64) ([]im.Day, error)
}

// Days keeps the figures of each day. Make it with [NewDays] and keep
// [Days.Run] running while it is used.
type Days struct {
	figures Figures
	store   DayStore
	log     *slog.Logger

	turn    chan struct{}                 // full while somebody takes and writes figures
	waiting map[im.AppID]map[int64]im.Day // owned by whoever has the turn
}

// NewDays makes it.
func NewDays(f Figures, s DayStore, log *slog.Logger) *Days {
	return &Days{figures: f, store: s, log: log, turn: make(chan struct{}, 1), waiting: make(map[im.AppID]map[int64]im.Day)}
}

// daysEvery is how often figures are written: what a crash loses of them.
const daysEvery = 10 * time.Second

// lastDays is how long the last write may take.
const lastDays = 5 * time.Second

// Run writes the figures now and then until ctx ends, and then once more.
func (d *Days) Run(ctx context.Context) error {
	tick := time.NewTicker(daysEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastDays)
			defer cancel()
			d.try(last)
			return nil
		case <-tick.C:
			d.try(ctx)
		}
	}
}

func (d *Days) try(ctx context.Context) {
	if err := d.save(ctx, time.Now()); err != nil {
		d.log.Error("save the figures of the day; will try again", "err", err)
	}
}

// save writes what was counted since the last time. What cannot be written
// waits for the next one.
func (d *Days) save(ctx context.Context, now time.Time) error {
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	day := im.DayOf(now.UnixMilli())
	for app, f := range d.figures.Take() {
		days := d.waiting[app]
		if days == nil {
			days = make(map[int64]im.Day)
			d.waiting[app] = days
		}
		sum := days[day]
		days[day] = im.Day{Day: day, Logins: sum.Logins + f.Logins, Online: max(sum.Online, f.Online)}
	}
	var errs []error
	for app, days := range d.waiting {
		for day, f := range days {
			if f.Logins > 0 || f.Online > 0 {
				if err := d.store.AddDay(ctx, app, f); err != nil {
					errs = append(errs, err)
					continue
				}
			}
			delete(days, day)
		}
	}
	return errors.Join(errs...)
}

// List gives the latest days of an application, today first, no more than most,
// and none from before it was made.
func (d *Days) List(ctx context.Context, a *App, most int, now time.Time) ([]im.Day, error) {
	if err := d.save(ctx, now); err != nil {
		return nil, fmt.Errorf("save the figures of the day: %w", err)
	}
	today := im.DayOf(now.UnixMilli())
	return d.store.Days(ctx, a.ID, max(today-int64(most)+1, im.DayOf(a.Created)), today)
}
