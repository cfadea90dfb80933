package status_test

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/porchlight-im/porchlight/internal/im"
)

// mood is how a call to the store ends.
type mood int

const (
	well   mood = iota
	refuse      // an error, and nothing is written
	lose        // an error, and everything is written
)

var moods = []string{well: "well", refuse: "refuse", lose: "lose"}

var errDisk = errors.New("disk full")

// simStore is a store in memory whose writes can fail in every way a disk has, and
// during whose calls other things happen.
type simStore struct {
	rows    map[im.UserKey]im.UserRow
	marks   map[im.UserKey]*[im.Platforms]im.Mark
	customs map[im.UserKey]im.CustomRow
	friends map[im.UserKey][]im.UserID
	blocked map[im.UserKey][]im.UserID
	rev     int64 // the highest

	deaf    bool                           // nothing can be read
	during  func(call string)              // something else happens meanwhile
	reading func(key im.UserKey)           // the same, while somebody has that user's turn
	fault   func(call string) mood         // how a call ends, unless the process dies in it
	landed  func(call string, failed bool) // its writes are on disk
}

func newSimStore() *simStore {
	return &simStore{
		rows: map[im.UserKey]im.UserRow{}, marks: map[im.UserKey]*[im.Platforms]im.Mark{}, customs: map[im.UserKey]im.CustomRow{},
		friends: map[im.UserKey][]im.UserID{}, blocked: map[im.UserKey][]im.UserID{},
	}
}

// call runs the writes of one call.
func (s *simStore) call(name string, write func() error) error {
	s.during(name)
	m := s.fault(name)
	if m == refuse {
		return errDisk
	}
	if err := write(); err != nil {
		return err
	}
	s.landed(name, m == lose)
	s.during(name)
	if m == lose {
		return errDisk
	}
	return nil
}

// change changes a user's row.
func (s *simStore) change(key im.UserKey, f func(*im.UserRow)) {
	row := s.rows[key]
	f(&row)
	s.rows[key] = row
}

func (s *simStore) User(_ context.Context, key im.UserKey) (im.UserRow, error) {
	if s.deaf {
		return im.UserRow{}, errDisk
	}
	row := s.rows[key]
	row.Sessions, row.Watching = slices.Clone(row.Sessions), slices.Clone(row.Watching)
	if marks := s.marks[key]; marks != nil {
		for _, m := range marks {
			row.Live = row.Live || m.State == im.MarkLive
			row.LastPresence = max(row.LastPresence, m.At)
		}
	}
	return row, nil
}

func (s *simStore) OpenSession(_ context.Context, o im.Opening, issued int64) (int64, error) {
	err := s.call("OpenSession", func() error {
		switch row := s.rows[o.User]; {
		case row.RevokedBefore > 0 && issued <= row.RevokedBefore:
			return im.Err(im.CodeSigExpired)
		case row.Banned:
			return im.Err(im.CodeBanned)
		}
		s.change(o.User, func(row *im.UserRow) {
			row.Found, row.TinyID = true, 7
			row.Sessions = append(closed(row.Sessions, o.Ended), o.Session)
			if o.Forget {
				row.Watching = nil
			}
		})
		s.mark(o.Mark)
		return nil
	})
	return 7, err
}

// closed gives sessions with some of them closed; one that is keeps its cause.
func closed(rows, ended []im.SessionRow) []im.SessionRow {
	rows = slices.Clone(rows)
	for _, e := range ended {
		for i, r := range rows {
			if r.Inst == e.Inst && r.Closed == 0 {
				rows[i].Closed, rows[i].Cause = e.Closed, e.Cause
			}
		}
	}
	return rows
}

func (s *simStore) mark(m im.Mark) {
	if m.State == im.MarkNone {
		return
	}
	if s.marks[m.User] == nil {
		s.marks[m.User] = new([im.Platforms]im.Mark)
	}
	if old := &s.marks[m.User][m.Platform]; m.Rev > old.Rev {
		*old = m
	}
	s.rev = max(s.rev, m.Rev)
}

func (s *simStore) live(marks []im.Mark, customs []im.CustomRow) {
	for _, m := range marks {
		s.mark(m)
	}
	for _, c := range customs {
		if c.Rev > s.customs[c.User].Rev {
			s.customs[c.User] = c
		}
		s.rev = max(s.rev, c.Rev)
	}
}

func (s *simStore) CloseSessions(_ context.Context, key im.UserKey, ended []im.SessionRow, marks []im.Mark, customs ...im.CustomRow) error {
	return s.call("CloseSessions", func() error {
		s.change(key, func(row *im.UserRow) { row.Sessions = closed(row.Sessions, ended) })
		s.live(marks, customs)
		return nil
	})
}

func (s *simStore) Revoke(_ context.Context, o im.Order) error {
	return s.call("Revoke", func() error {
		s.change(o.User, func(row *im.UserRow) {
			row.Sessions = closed(row.Sessions, o.Ended)
			row.RevokedBefore = max(row.RevokedBefore, o.Before)
			row.Banned = o.Ban == im.BanSet || row.Banned && o.Ban == im.BanKeep
		})
		s.live(o.Marks, o.Customs)
		return nil
	})
}

func (s *simStore) SaveLive(_ context.Context, marks []im.Mark, customs []im.CustomRow) error {
	return s.call("SaveLive", func() error { s.live(marks, customs); return nil })
}

func (s *simStore) SaveWatching(_ context.Context, key im.UserKey, add, remove []im.UserID) error {
	return s.call("SaveWatching", func() error {
		s.change(key, func(row *im.UserRow) {
			kept := slices.DeleteFunc(slices.Clone(row.Watching), func(u im.UserID) bool {
				return slices.Contains(add, u) || slices.Contains(remove, u)
			})
			row.Watching = append(kept, add...)
		})
		return nil
	})
}

func (s *simStore) ClearWatching(_ context.Context, key im.UserKey) error {
	return s.call("ClearWatching", func() error {
		s.change(key, func(row *im.UserRow) { row.Watching = nil })
		return nil
	})
}

func (s *simStore) ClearCustoms(_ context.Context, rev int64) error {
	for key, c := range s.customs {
		live := s.marks[key] != nil && slices.ContainsFunc(s.marks[key][:], func(m im.Mark) bool { return m.State == im.MarkLive })
		if c.Text != "" && !live {
			s.customs[key], s.rev = im.CustomRow{User: key, Rev: rev}, max(s.rev, rev)
		}
	}
	return nil
}

func (s *simStore) Live(_ context.Context, lostSince int64, each func(im.LiveRow) error) error {
	for _, key := range slices.SortedFunc(maps.Keys(s.marks), compareKeys) {
		row, wanted := im.LiveRow{User: key, Custom: s.customs[key].Text}, false
		for _, m := range s.marks[key] {
			if m.State != im.MarkNone {
				row.Marks = append(row.Marks, m)
			}
			wanted = wanted || m.State == im.MarkLive || m.State == im.MarkLost && m.At >= lostSince
		}
		if wanted {
			if err := each(row); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *simStore) Exist(_ context.Context, app im.AppID, ids []im.UserID) ([]bool, error) {
	if s.deaf {
		return nil, errDisk
	}
	out := make([]bool, len(ids))
	for i, id := range ids {
		out[i] = s.rows[im.UserKey{App: app, User: id}].Found
	}
	return out, nil
}
