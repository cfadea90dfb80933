// Package profile holds the rules of profiles: which fields there are, what each
// may hold, who may set it, and who is told. The client's commands and the back
// end's call the same methods.
//
// A field that was never set is not there, but for the two that have a default. A
// change is all or nothing, and is told once it is committed: to the user's own
// devices and to everyone connected who has the user as friend.
package profile

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Store keeps what has been set. A method that returns nil has committed.
type Store interface {
	// SaveProfile sets fields by tag and keeps the events that tell of it. It
	// refuses with CodeNoAccount who has no account.
	SaveProfile(ctx context.Context, key im.UserKey, values map[string]string, events ...im.EventRow) error
	// Profiles gives what is set of those who have an account.
	Profiles(ctx context.Context, app im.AppID, users []im.UserID) (map[im.UserID]map[string]string, error)
	// Fans gives who has a user as friend.
	Fans(ctx context.Context, key im.UserKey) ([]im.UserID, error)
}

// Hooks is where an application's back end is told of what was done.
type Hooks interface {
	// Events makes what tells of a change, to be committed with it. It neither
	// blocks nor waits, nor does any of the rest.
	Events(ctx context.Context, c Change) []im.EventRow
	// Tell says that rows are true.
	Tell(rows []im.EventRow)
	// Forsake says that rows will never be true.
	Forsake(rows []im.EventRow)
}

// Change is a change of a profile. By is who made it: the user, or an
// administrator.
type Change struct {
	User   im.UserKey
	By     im.UserID
	Fields []im.Field
}

// Config is what a Service is made from.
type Config struct {
	Store Store
	// Tell tells the devices of these users, who all are of the application of
	// the changed one, in one order for each of them. It never blocks.
	Tell  func(c Change, to []im.UserID)
	Hooks Hooks // nil for none
	Log   *slog.Logger
}

// Service reads and changes profiles. Make one with [New].
type Service struct {
	cfg   Config
	turns turns
}

// New makes a service.
func New(cfg Config) *Service {
	return &Service{cfg: cfg, turns: turns{taken: make(map[im.UserKey]*turn)}}
}

// Limits are an application's settings about profiles.
type Limits struct {
	Allow  string    // the AllowType of who has set none
	Fields im.Fields // the custom fields
	Owner  bool      // users may set their own level and role
	Bytes  int       // a text
}

// Caller is who changes a profile.
type Caller struct {
	User  im.UserKey // whose profile
	Admin im.UserID  // the administrator who does it in the user's place, "" for the user
}

// kind is what a field holds.
type kind uint8

const (
	text kind = iota
	number
	choice
)

// field is one of the standard fields.
type field struct {
	kind   kind
	most   int // bytes of a text, 0 for the application's limit
	values []string
	admin  bool // only an administrator sets it
	rank   bool // the same, unless the application lets users
}

// standard is the table of the twelve standard fields.
var standard = map[string]field{
	im.TagNick:                     {kind: text},
	im.TagGender:                   {kind: choice, values: []string{im.GenderUnknown, im.GenderFemale, im.GenderMale}},
	"Tag_Profile_IM_BirthDay":      {kind: number},
	"Tag_Profile_IM_Location":      {kind: text, most: im.MaxLocationBytes},
	"Tag_Profile_IM_SelfSignature": {kind: text},
	im.TagAllowType:                {kind: choice, values: []string{im.AllowConfirm, im.AllowAny, im.AllowNobody}},
	"Tag_Profile_IM_Language":      {kind: number},
	im.TagImage:                    {kind: text},
	"Tag_Profile_IM_MsgSettings":   {kind: number},
	im.TagForbid:                   {kind: choice, values: []string{im.ForbidNothing, im.ForbidAdding}, admin: true},
	"Tag_Profile_IM_Level":         {kind: number, rank: true},
	"Tag_Profile_IM_Role":          {kind: number, rank: true},
}

// customPrefix begins the tag of every custom field; the name that the
// application declares follows.
const customPrefix = "Tag_Profile_Custom_"

// find gives the field of a tag.
func (l *Limits) find(tag string) (field, bool) {
	if f, ok := standard[tag]; ok {
		return f, true
	}
	name, custom := strings.CutPrefix(tag, customPrefix)
	isNumber, ok := l.Fields.Lookup(name)
	if !custom || !ok {
		return field{}, false
	}
	if isNumber {
		return field{kind: number}, true
	}
	return field{kind: text}, true
}

// maxNumber is the largest value of a number.
const maxNumber = 1<<32 - 1

// check gives a field's value as it is kept.
func (l *Limits) check(f im.Field, by Caller) (string, error) {
	known, ok := l.find(f.Tag)
	if !ok {
		return "", im.Errorf(im.CodeProfileTag, "there is no such field; a custom one is declared by the setting profile.fields")
	}
	if by.Admin == "" && (known.admin || known.rank && !l.Owner) {
		return "", im.Errorf(im.CodeProfileReadOnly, "only an administrator may set %s", f.Tag)
	}
	s, isText := f.Value.(string)
	n, isNumber := f.Value.(int64)
	switch {
	case known.kind == number && !isNumber, known.kind != number && !isText:
		return "", im.Errorf(im.CodeProfileType, "%s takes %s", f.Tag, known.kind)
	case known.kind == number && (n < 0 || n > maxNumber):
		return "", im.Errorf(im.CodeProfileValue, "%s takes 0 to %d", f.Tag, maxNumber)
	case known.kind == number:
		return strconv.FormatInt(n, 10), nil
	case known.kind == choice && !slices.Contains(known.values, s):
		return "", im.Errorf(im.CodeProfileValue, "%s takes one of %s", f.Tag, strings.Join(known.values, ", "))
	case known.kind == text && len(s) > cmp.Or(known.most, l.Bytes):
		return "", im.Errorf(im.CodeProfileLong, "%s takes at most %d bytes of UTF-8", f.Tag, cmp.Or(known.most, l.Bytes))
	}
	return s, nil
}

// String gives what a value of the kind is.
func (k kind) String() string {
	if k == number {
		return "a number"
	}
	return "a text"
}

// maxSet is how many fields one change may set: all there are.
const maxSet = 12 + im.MaxCustomFields

// Set sets fields of the caller's profile, all or none.
func (s *Service) Set(ctx context.Context, c Caller, lim Limits, fields []im.Field) error {
	if len(fields) == 0 || len(fields) > maxSet {
		return im.Errorf(im.CodeProfileInvalid, "1 to %d fields are set at once", maxSet)
	}
	values := make(map[string]string, len(fields))
	for _, f := range fields {
		value, err := lim.check(f, c)
		if err != nil {
			return err
		}
		values[f.Tag] = value
	}
	turn, err := s.turns.take(ctx, c.User)
	if err != nil {
		return err
	}
	defer s.turns.give(c.User, turn)
	done := Change{User: c.User, By: cmp.Or(c.Admin, c.User.User), Fields: fields}
	var rows []im.EventRow
	if s.cfg.Hooks != nil {
		rows = s.cfg.Hooks.Events(ctx, done)
	}
	if err := s.cfg.Store.SaveProfile(ctx, c.User, values, rows...); err != nil {
		if s.cfg.Hooks != nil {
			s.cfg.Hooks.Forsake(rows)
		}
		if errors.Is(err, im.Err(im.CodeNoAccount)) {
			return im.Err(im.CodeProfileNoAccount)
		}
		return err
	}
	s.told(ctx, done)
	if s.cfg.Hooks != nil {
		s.cfg.Hooks.Tell(rows)
	}
	return nil
}

// told tells of a change that was committed. If it cannot be read who has the
// user as friend, the user's own devices are told.
func (s *Service) told(ctx context.Context, c Change) {
	fans, err := s.cfg.Store.Fans(ctx, c.User)
	if err != nil {
		s.cfg.Log.Error("tell friends of a profile", "user", c.User.User, "err", err)
	}
	s.cfg.Tell(c, append(fans, c.User.User))
}

// Profile is what one user's profile says. Found is false where there is no such
// account.
type Profile struct {
	User   im.UserID
	Found  bool
	Fields []im.Field
}

// Get gives the profiles of some users, in their order: of the tags, all fields
// where there are none.
func (s *Service) Get(ctx context.Context, app im.AppID, lim Limits, users []im.UserID, tags []string) ([]Profile, error) {
	switch {
	case len(users) == 0:
		return nil, im.Err(im.CodeProfileNobody)
	case len(users) > im.MaxProfiles:
		return nil, im.Errorf(im.CodeProfileInvalid, "%d users are more than %d in one call", len(users), im.MaxProfiles)
	}
	ask := make([]im.UserID, 0, len(users))
	for _, u := range users {
		if u.Valid() {
			ask = append(ask, u)
		}
	}
	values, err := s.cfg.Store.Profiles(ctx, app, ask)
	if err != nil {
		return nil, err
	}
	list := make([]Profile, len(users))
	for i, u := range users {
		list[i].User = u
		if set, ok := values[u]; ok {
			list[i].Found, list[i].Fields = true, lim.fields(set, tags)
		}
	}
	return list, nil
}

// fields gives what is set of the tags, with the defaults, in one order.
func (l *Limits) fields(set map[string]string, tags []string) []im.Field {
	if len(tags) == 0 {
		tags = l.tags()
	}
	fields := make([]im.Field, 0, len(set)+2)
	for _, tag := range tags {
		known, ok := l.find(tag)
		value, isSet := set[tag]
		switch {
		case !ok:
			continue
		case isSet && known.kind == number:
			n, _ := strconv.ParseInt(value, 10, 64) // as check wrote it
			fields = append(fields, im.Field{Tag: tag, Value: n})
			continue
		case isSet:
		case tag == im.TagGender:
			value = im.GenderUnknown
		case tag == im.TagAllowType:
			value = l.Allow
		default:
			continue
		}
		fields = append(fields, im.Field{Tag: tag, Value: value})
	}
	return fields
}

// tags gives the tags of all fields.
func (l *Limits) tags() []string {
	tags := slices.Clone(standardTags)
	for _, name := range l.Fields.Names() {
		tags = append(tags, customPrefix+name)
	}
	return tags
}

var standardTags = slices.Sorted(maps.Keys(standard))
