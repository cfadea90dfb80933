package app_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/im"
)

// days is a store of days, and a source of figures, for one application.
type days struct {
	mu   sync.Mutex // guards all below
	next im.Day     // what is taken next
	kept map[int64]im.Day
	err  error
}

// set says what is taken next, and how writing goes from now on.
func (d *days) set(next im.Day, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next, d.err = next, err
}

// all gives what is kept.
func (d *days) all() map[int64]im.Day {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.kept)
}

func (d *days) Take() map[im.AppID]im.Day {
	d.mu.Lock()
	defer d.mu.Unlock()
	taken := map[im.AppID]im.Day{1: d.next}
	d.next = im.Day{}
	return taken
}

func (d *days) AddDay(_ context.Context, _ im.AppID, f im.Day) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		sum := d.kept[f.Day]
		d.kept[f.Day] = im.Day{Day: f.Day, Logins: sum.Logins + f.Logins, Online: max(sum.Online, f.Online)}
	}
	return d.err
}

func (d *days) Days(_ context.Context, _ im.AppID, since, last int64) (list []im.Day, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for day := last; day >= since; day-- {
		list = append(list, d.kept[day])
	}
	return list, d.err
}

func TestDaysAreKeptThroughTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := &days{kept: map[int64]im.Day{}}
		d := app.NewDays(kept, kept, slog.New(slog.DiscardHandler))
		today := im.DayOf(time.Now().UnixMilli())
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- d.Run(ctx) }()
		kept.set(im.Day{Logins: 3, Online: 2}, nil)
		<-time.After(11 * time.Second)
		synctest.Wait()
		full := errors.New("the disk is full")
		kept.set(im.Day{Logins: 4, Online: 7}, full)
		<-time.After(20 * time.Second)
		kept.set(im.Day{Logins: 1, Online: 1}, full)
		<-time.After(20 * time.Second)
		synctest.Wait()
		if diff := cmp.Diff(map[int64]im.Day{today: {Day: today, Logins: 3, Online: 2}}, kept.all()); diff != "" {
			t.Errorf("while the store fails (-want +got)\n%s", diff)
		}
		kept.set(im.Day{}, nil)
		a := &app.App{ID: 1, Created: time.Now().Add(-24 * time.Hour).UnixMilli()}
		list, err := d.List(ctx, a, 30, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]im.Day{{Day: today, Logins: 8, Online: 7}, {}}, list); diff != "" {
			t.Errorf("the days since the application was made (-want +got)\n%s", diff)
		}
		<-time.After(24 * time.Hour)
		kept.set(im.Day{Logins: 5, Online: 5}, nil)
		stop()
		if err := <-done; err != nil || kept.all()[today+1].Logins != 5 {
			t.Errorf("at the end there is %v, and %v", kept.all(), err)
		}
		a.Created = 0
		if list, err = d.List(t.Context(), a, 30, time.Now()); err != nil || len(list) != 30 {
			t.Errorf("%d days, %v; want 30", len(list), err)
		}
	})
}
