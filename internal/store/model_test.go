package store_test

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
)

// model is the store without a database: what random operations must leave.
type model map[im.UserKey]*modelUser

type modelUser struct {
	row    im.UserRow
	marks  [im.Platforms]im.Mark
	custom im.CustomRow
}

func (m model) user(key im.UserKey) *modelUser {
	if m[key] == nil {
		m[key] = &modelUser{}
	}
	return m[key]
}

func (u *modelUser) mark(m im.Mark) {
	if old := u.marks[m.Platform]; u.row.Found && (old.State == im.MarkNone || m.Rev > old.Rev) {
		u.marks[m.Platform] = m
	}
}

func (u *modelUser) say(c im.CustomRow) {
	if u.row.Found && c.Rev > u.custom.Rev {
		u.custom = c
	}
}

func (u *modelUser) end(ended []im.SessionRow) {
	for _, e := range ended {
		for i, s := range u.row.Sessions {
			if s.Inst == e.Inst && s.Closed == 0 {
				u.row.Sessions[i].Closed, u.row.Sessions[i].Cause = e.Closed, e.Cause
			}
		}
	}
}

// open is OpenSession; the TinyID is the store's choice.
func (u *modelUser) open(o im.Opening, issued, tinyID int64) error {
	if u.row.RevokedBefore > 0 && issued <= u.row.RevokedBefore {
		return im.Err(im.CodeSigExpired)
	}
	if u.row.Banned {
		return im.Err(im.CodeBanned)
	}
	if slices.ContainsFunc(u.row.Sessions, func(s im.SessionRow) bool { return s.Inst == o.Session.Inst }) {
		return store.ErrExists
	}
	if !u.row.Found {
		u.row.Found, u.row.TinyID = true, tinyID
	}
	u.row.Sessions = append(u.row.Sessions, o.Session)
	u.end(o.Ended)
	u.mark(o.Mark)
	if o.Forget {
		u.row.Watching = nil
	}
	return nil
}

// order is Revoke.
func (u *modelUser) order(o im.Order) error {
	if o.Ban != im.BanKeep {
		if !u.row.Found {
			return im.Err(im.CodeNoAccount)
		}
		u.row.Banned = o.Ban == im.BanSet
	}
	u.row.RevokedBefore = max(u.row.RevokedBefore, o.Before)
	u.end(o.Ended)
	for _, m := range o.Marks {
		u.mark(m)
	}
	for _, c := range o.Customs {
		u.say(c)
	}
	return nil
}

func (u *modelUser) watch(add, remove []im.UserID) {
	drop := func(ids []im.UserID) {
		u.row.Watching = slices.DeleteFunc(u.row.Watching, func(id im.UserID) bool { return slices.Contains(ids, id) })
	}
	drop(remove)
	for _, id := range add {
		drop([]im.UserID{id})
		u.row.Watching = append(u.row.Watching, id)
	}
}

func (u *modelUser) purge(before int64) (gone int64) {
	n := len(u.row.Sessions)
	u.row.Sessions = slices.DeleteFunc(u.row.Sessions, func(s im.SessionRow) bool {
		return s.Closed > 0 && s.Closed < before
	})
	gone = int64(n - len(u.row.Sessions))
	if c := u.custom; c.Rev > 0 && c.Text == "" && c.Rev/1000 < before {
		u.custom = im.CustomRow{}
		gone++
	}
	return gone
}

// userRow is what User must give.
func (u *modelUser) userRow() im.UserRow {
	row := u.row
	if !row.Found {
		return im.UserRow{RevokedBefore: row.RevokedBefore}
	}
	slices.SortFunc(row.Sessions, func(a, b im.SessionRow) int {
		if a.Opened != b.Opened {
			return int(a.Opened - b.Opened)
		}
		return int(a.Inst) - int(b.Inst)
	})
	for _, m := range u.marks {
		row.Live = row.Live || m.State == im.MarkLive
		row.LastPresence = max(row.LastPresence, m.At)
	}
	return row
}

// liveRow is what Live must give, if anything.
func (u *modelUser) liveRow(key im.UserKey, lostSince int64) (row im.LiveRow, streamed bool) {
	row = im.LiveRow{User: key, Custom: u.custom.Text}
	for _, m := range u.marks {
		streamed = streamed || m.State == im.MarkLive || m.State == im.MarkLost && m.At >= lostSince
		if m.State != im.MarkNone {
			row.Marks = append(row.Marks, m)
		}
	}
	return row, streamed
}

// modelTest is one random run of the store beside the model.
type modelTest struct {
	*testing.T
	rand  *rand.Rand
	store *store.Store
	model model
	names []im.UserID
	apps  map[im.AppID]im.AppRow
	audit []im.AuditRow // oldest first
}

func testModel(t *testing.T, s *store.Store) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := &modelTest{
		T: t, rand: rand.New(rand.NewPCG(seed, 0)), store: s,
		model: model{}, names: []im.UserID{"a", "A", "b", "!"}, apps: map[im.AppID]im.AppRow{},
	}
	for range 400 {
		r.step()
	}
	equal(t, audit(t, s), r.audit)
	apps, err := s.Apps(t.Context())
	must(t, err)
	equal(t, apps, slices.SortedFunc(maps.Values(r.apps), func(a, b im.AppRow) int { return int(a.ID) - int(b.ID) }))
	lostSince := r.rand.Int64N(50)
	want := make(map[im.UserKey]im.LiveRow)
	for key, u := range r.model {
		equal(t, user(t, s, key), u.userRow())
		if row, streamed := u.liveRow(key, lostSince); streamed {
			want[key] = row
		}
	}
	equal(t, live(t, s, lostSince), want)
}

func (r *modelTest) step() {
	key := im.UserKey{App: testApp + im.AppID(r.rand.IntN(2)), User: r.name()}
	u := r.model.user(key)
	switch r.rand.IntN(14) {
	case 0, 1, 2, 3:
		r.open(key, u)
	case 4, 5:
		ended, marks := []im.SessionRow{r.ended(), r.ended()}, []im.Mark{r.mark(key), r.mark(key)}
		c := r.custom(key)
		must(r, r.store.CloseSessions(r.Context(), key, ended, marks, c))
		u.end(ended)
		u.mark(marks[0])
		u.mark(marks[1])
		u.say(c)
	case 6, 7:
		m, c := r.mark(key), r.custom(key)
		must(r, r.store.SaveLive(r.Context(), []im.Mark{m}, []im.CustomRow{c}))
		u.mark(m)
		u.say(c)
	case 8, 9:
		add, remove := []im.UserID{r.name(), r.name()}[:r.rand.IntN(3)], []im.UserID{r.name()}[:r.rand.IntN(2)]
		must(r, r.store.SaveWatching(r.Context(), key, add, remove))
		u.watch(add, remove)
	case 10, 11:
		r.order(key, u)
	case 12:
		r.saveApp(key.App)
	case 13:
		before, want := r.rand.Int64N(20), int64(0)
		for _, u := range r.model {
			want += u.purge(before)
		}
		gone, err := r.store.Purge(r.Context(), before)
		must(r, err)
		equal(r.T, gone, want)
	}
}

func (r *modelTest) open(key im.UserKey, u *modelUser) {
	o := login(key, im.InstID(1+r.rand.IntN(6)), im.Platform(r.rand.IntN(im.Platforms)), 1+r.rand.Int64N(50))
	o.Mark = r.mark(key)
	o.Ended, o.Forget = []im.SessionRow{r.ended()}, r.rand.IntN(4) == 0
	if o.Ended[0].Inst == o.Session.Inst { // no login pushes itself out
		o.Ended = nil
	}
	issued := r.rand.Int64N(8)
	tinyID, err := r.store.OpenSession(r.Context(), o, issued)
	if want := u.open(o, issued, tinyID); !errors.Is(err, want) {
		r.Fatalf("OpenSession of %+v gives %v, want %v", o, err, want)
	}
	if err == nil {
		equal(r.T, tinyID, u.row.TinyID)
	}
}

func (r *modelTest) order(key im.UserKey, u *modelUser) {
	o := im.Order{
		User: key, Before: r.rand.Int64N(5), Ban: []im.Ban{im.BanKeep, im.BanSet, im.BanLift, im.BanLift}[r.rand.IntN(4)],
		Ended: []im.SessionRow{r.ended()}, Marks: []im.Mark{r.mark(key)}, Customs: []im.CustomRow{r.custom(key)},
		Audit: im.AuditRow{At: r.rand.Int64N(50), Action: []string{"", "user.kick"}[r.rand.IntN(2)]},
	}
	err, want := r.store.Revoke(r.Context(), o), u.order(o)
	if !errors.Is(err, want) {
		r.Fatalf("Revoke of %+v gives %v, want %v", o, err, want)
	}
	if o.Audit.Action != "" && err == nil {
		o.Audit.App, o.Audit.User = key.App, key.User
		r.audit = append(r.audit, o.Audit)
	}
}

func (r *modelTest) saveApp(id im.AppID) {
	row := im.AppRow{ID: id, Name: string(r.name()), Enabled: r.rand.IntN(2) == 0, Created: 5, Admins: slices.Clone(r.names[:r.rand.IntN(4)])}
	for i := range r.rand.IntN(3) {
		row.Keys = append(row.Keys, im.AppKey{ID: uint32(i + 1), Secret: string(r.name()), NotAfter: r.rand.Int64N(9)})
	}
	if r.rand.IntN(2) == 0 {
		row.Settings = map[string]string{string(r.name()): string(r.name())}
	}
	a := im.AuditRow{App: id, User: r.name(), Actor: "operator", Action: "app.change"}
	must(r, r.store.SaveApp(r.Context(), row, a))
	r.apps[id], r.audit = row, append(r.audit, a)
}

func (r *modelTest) name() im.UserID { return r.names[r.rand.IntN(len(r.names))] }

func (r *modelTest) ended() im.SessionRow {
	return im.SessionRow{Inst: im.InstID(1 + r.rand.IntN(6)), Closed: 1 + r.rand.Int64N(20), Cause: im.Cause(1 + r.rand.IntN(8))}
}

func (r *modelTest) mark(key im.UserKey) im.Mark {
	return im.Mark{
		User: key, Platform: im.Platform(r.rand.IntN(im.Platforms)), State: im.MarkState(1 + r.rand.IntN(3)),
		At: 1 + r.rand.Int64N(50), Rev: 1 + r.rand.Int64N(1000),
	}
}

func (r *modelTest) custom(key im.UserKey) im.CustomRow {
	return im.CustomRow{User: key, Text: []string{"", "x", "y"}[r.rand.IntN(3)], Rev: 1 + r.rand.Int64N(50_000)}
}
