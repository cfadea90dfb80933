package profile_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/profile"
	"github.com/porchlight-im/porchlight/internal/store"
)

const testApp im.AppID = 1400000001

// world is the rules on a real store, with all that they told.
type world struct {
	*profile.Service
	store *store.Store

	mu            sync.Mutex
	told          []string
	before, after []profile.Change
}

func newWorld(t *testing.T, users ...im.UserID) *world {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{Gather: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	for _, u := range users {
		o := im.Opening{User: key(u), Session: im.SessionRow{Inst: 1, Opened: 1}}
		if _, err := st.OpenSession(t.Context(), o, 1); err != nil {
			t.Fatal(err)
		}
	}
	w := &world{store: st}
	w.Service = profile.New(profile.Config{Store: st, Tell: w.tell, Hooks: w, Log: slog.New(slog.DiscardHandler)})
	return w
}

func (w *world) tell(c profile.Change, to []im.UserID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.Sort(to)
	w.told = append(w.told, fmt.Sprint(c.User.User, c.Fields, to))
}

func (w *world) Events(_ context.Context, c profile.Change) []im.EventRow {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.before = append(w.before, c)
	return []im.EventRow{{ID: -int64(len(w.before))}}
}

func (w *world) Tell(rows []im.EventRow) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range rows {
		w.after = append(w.after, w.before[-r.ID-1])
	}
}

func (w *world) Forsake([]im.EventRow) {}

func key(u im.UserID) im.UserKey { return im.UserKey{App: testApp, User: u} }

func limits() profile.Limits {
	return profile.Limits{Allow: im.AllowAny, Fields: "Team,Level:number", Owner: true, Bytes: im.MaxFieldBytes}
}

func (w *world) set(u im.UserID, lim profile.Limits, fields ...im.Field) error {
	return w.Set(context.Background(), profile.Caller{User: key(u)}, lim, fields)
}

func (w *world) get(t *testing.T, lim profile.Limits, tags []string, users ...im.UserID) []profile.Profile {
	t.Helper()
	got, err := w.Get(t.Context(), testApp, lim, users, tags)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func refused(t *testing.T, name string, err error, want im.Code) {
	t.Helper()
	if refusal, known := im.Refusal(err); err == nil || !known || refusal.Code != want || refusal.Text == "" {
		t.Errorf("%s: got %v, want %d", name, err, want)
	}
}

func same[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got)\n%s", what, diff)
	}
}

const prefix = "Tag_Profile_IM_"

func TestPR1_PR2_EveryFieldIsKept(t *testing.T) {
	w := newWorld(t, "alice")
	fields := []im.Field{
		{Tag: im.TagForbid, Value: im.ForbidAdding},
		{Tag: im.TagAllowType, Value: im.AllowConfirm},
		{Tag: prefix + "BirthDay", Value: int64(20190419)},
		{Tag: im.TagGender, Value: im.GenderFemale},
		{Tag: im.TagImage, Value: "https://example.org/\x00?a=\"b\""},
		{Tag: prefix + "Language", Value: int64(0)},
		{Tag: prefix + "Level", Value: int64(1<<32 - 1)},
		{Tag: prefix + "Location", Value: "sixteen bytes it"},
		{Tag: prefix + "MsgSettings", Value: int64(1)},
		{Tag: im.TagNick, Value: strings.Repeat("é", 250)},
		{Tag: prefix + "Role", Value: int64(5)},
		{Tag: prefix + "SelfSignature", Value: ""},
		{Tag: "Tag_Profile_Custom_Team", Value: strings.Repeat("t", 500)},
		{Tag: "Tag_Profile_Custom_Level", Value: int64(9)},
	}
	caller := profile.Caller{User: key("alice"), Admin: "root"}
	if err := w.Set(t.Context(), caller, limits(), fields); err != nil {
		t.Fatal(err)
	}
	same(t, "profile", w.get(t, limits(), nil, "alice"), []profile.Profile{{User: "alice", Found: true, Fields: fields}})
	same(t, "after", w.after, []profile.Change{{User: key("alice"), By: "root", Fields: fields}})
	undeclared := limits()
	undeclared.Fields = "Level:number"
	same(t, "declared no more", len(w.get(t, undeclared, nil, "alice")[0].Fields), len(fields)-1)
	some := []string{im.TagNick, "Tag_Profile_Custom_Level", "Tag_Profile_IM_Nonsense"}
	same(t, "some", w.get(t, limits(), some, "alice")[0].Fields, []im.Field{fields[9], fields[13]})
}

func TestPR3_WhatIsWrongIsRefusedAsAWhole(t *testing.T) {
	w := newWorld(t, "alice")
	strict := limits()
	strict.Owner = false
	for name, row := range map[string]struct {
		lim   profile.Limits
		field im.Field
		want  im.Code
	}{
		"long nick":           {limits(), im.Field{Tag: im.TagNick, Value: strings.Repeat("x", 501)}, im.CodeProfileLong},
		"long location":       {limits(), im.Field{Tag: prefix + "Location", Value: strings.Repeat("x", 17)}, im.CodeProfileLong},
		"long custom":         {limits(), im.Field{Tag: "Tag_Profile_Custom_Team", Value: strings.Repeat("x", 501)}, im.CodeProfileLong},
		"number for a text":   {limits(), im.Field{Tag: im.TagNick, Value: int64(5)}, im.CodeProfileType},
		"text for a number":   {limits(), im.Field{Tag: prefix + "BirthDay", Value: "20190419"}, im.CodeProfileType},
		"neither":             {limits(), im.Field{Tag: im.TagNick}, im.CodeProfileType},
		"number for a choice": {limits(), im.Field{Tag: im.TagGender, Value: int64(1)}, im.CodeProfileType},
		"custom of a type":    {limits(), im.Field{Tag: "Tag_Profile_Custom_Level", Value: "x"}, im.CodeProfileType},
		"no such gender":      {limits(), im.Field{Tag: im.TagGender, Value: "Gender_Type_Other"}, im.CodeProfileValue},
		"no such allow":       {limits(), im.Field{Tag: im.TagAllowType, Value: "any"}, im.CodeProfileValue},
		"below zero":          {limits(), im.Field{Tag: prefix + "Level", Value: int64(-1)}, im.CodeProfileValue},
		"too large":           {limits(), im.Field{Tag: prefix + "Level", Value: int64(1 << 32)}, im.CodeProfileValue},
		"unknown":             {limits(), im.Field{Tag: prefix + "Mood", Value: "x"}, im.CodeProfileTag},
		"undeclared":          {limits(), im.Field{Tag: "Tag_Profile_Custom_Other", Value: "x"}, im.CodeProfileTag},
		"another case":        {limits(), im.Field{Tag: "Tag_Profile_Custom_team", Value: "x"}, im.CodeProfileTag},
		"no name":             {limits(), im.Field{Tag: "Tag_Profile_Custom_", Value: "x"}, im.CodeProfileTag},
		"friends' tag":        {limits(), im.Field{Tag: "Tag_SNS_IM_Remark", Value: "x"}, im.CodeProfileTag},
		"the admin's":         {limits(), im.Field{Tag: im.TagForbid, Value: im.ForbidNothing}, im.CodeProfileReadOnly},
		"rank":                {strict, im.Field{Tag: prefix + "Role", Value: int64(1)}, im.CodeProfileReadOnly},
	} {
		refused(t, name, w.set("alice", row.lim, im.Field{Tag: im.TagNick, Value: "A"}, row.field), row.want)
	}
	refused(t, "none", w.set("alice", limits()), im.CodeProfileInvalid)
	refused(t, "too many", w.set("alice", limits(), make([]im.Field, 33)...), im.CodeProfileInvalid)
	same(t, "nothing was set", len(w.get(t, limits(), nil, "alice")[0].Fields), 2)
	same(t, "told", w.told, nil)
	if err := w.set("alice", limits(), im.Field{Tag: prefix + "Role", Value: int64(1)}); err != nil {
		t.Error(err)
	}
	if err := w.Set(t.Context(), profile.Caller{User: key("alice"), Admin: "root"}, strict, []im.Field{{Tag: prefix + "Role", Value: int64(2)}}); err != nil {
		t.Error(err)
	}
}

// befriend gives from the other as friend.
func (w *world) befriend(t *testing.T, from, to im.UserID) {
	t.Helper()
	err := w.store.Relate(t.Context(), im.RelationQuery{User: key(from)}, func(im.Relations) im.RelationChange {
		return im.RelationChange{Add: []im.OwnedFriend{{Owner: from, FriendEntry: im.FriendEntry{User: to}}}}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestPR4_FriendsAreTold(t *testing.T) {
	w := newWorld(t, "alice", "bob", "carol", "dave")
	w.befriend(t, "bob", "alice")
	w.befriend(t, "carol", "alice")
	w.befriend(t, "alice", "dave")
	if err := w.set("alice", limits(), im.Field{Tag: im.TagNick, Value: "Al"}); err != nil {
		t.Fatal(err)
	}
	same(t, "told", w.told, []string{"alice[{Tag_Profile_IM_Nick Al}] [alice bob carol]"})
}

// TestPR4_ToldInOrder: the last that was told is what is kept.
func TestPR4_ToldInOrder(t *testing.T) {
	w := newWorld(t, "alice")
	var calls sync.WaitGroup
	for i := range 50 {
		calls.Go(func() {
			if err := w.set("alice", limits(), im.Field{Tag: im.TagNick, Value: fmt.Sprint("n", i)}); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	nick := w.get(t, limits(), []string{im.TagNick}, "alice")[0].Fields[0].Value
	same(t, "the last one", w.told[len(w.told)-1], fmt.Sprintf("alice[{Tag_Profile_IM_Nick %s}] [alice]", nick))
	same(t, "told", len(w.told), 50)
}

func TestPR5_DefaultsAndWhoDoesNotExist(t *testing.T) {
	w := newWorld(t, "alice")
	lim := limits()
	lim.Allow = im.AllowNobody
	want := []im.Field{{Tag: im.TagAllowType, Value: im.AllowNobody}, {Tag: im.TagGender, Value: im.GenderUnknown}}
	same(t, "defaults", w.get(t, lim, nil, "ghost", "alice", "not an id", "alice"), []profile.Profile{
		{User: "ghost"}, {User: "alice", Found: true, Fields: want}, {User: "not an id"}, {User: "alice", Found: true, Fields: want},
	})
	_, err := w.Get(t.Context(), testApp, lim, nil, nil)
	refused(t, "none", err, im.CodeProfileNobody)
	_, err = w.Get(t.Context(), testApp, lim, make([]im.UserID, 101), nil)
	refused(t, "too many", err, im.CodeProfileInvalid)
	same(t, "another application", func() bool {
		got, err := w.Get(t.Context(), testApp+1, lim, []im.UserID{"alice"}, nil)
		return err == nil && !got[0].Found
	}(), true)
}

func TestPR6_WhoDoesNotExistHasNoProfile(t *testing.T) {
	w := newWorld(t)
	refused(t, "ghost", w.set("ghost", limits(), im.Field{Tag: im.TagNick, Value: "G"}), im.CodeProfileNoAccount)
	same(t, "told", w.told, nil)
}

// slowStore holds the first change until another has asked.
type slowStore struct {
	profile.Store
	entered, release chan struct{}
}

func (s *slowStore) SaveProfile(context.Context, im.UserKey, map[string]string, ...im.EventRow) error {
	s.entered <- struct{}{}
	<-s.release
	return errors.New("disk full")
}

func TestWaitingForATurnEnds(t *testing.T) {
	slow := &slowStore{entered: make(chan struct{}), release: make(chan struct{})}
	s := profile.New(profile.Config{Store: slow})
	fields := []im.Field{{Tag: im.TagNick, Value: "A"}}
	first := make(chan error)
	go func() { first <- s.Set(context.Background(), profile.Caller{User: key("alice")}, limits(), fields) }()
	<-slow.entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	refused(t, "waiting", s.Set(ctx, profile.Caller{User: key("alice")}, limits(), fields), im.CodeServerTimeout)
	close(slow.release)
	if err := <-first; err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("got %v", err)
	}
}
