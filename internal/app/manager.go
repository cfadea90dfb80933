package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/porchlight-im/porchlight/internal/im"
)

// The ways in which a [Manager] refuses what an application, as it is, does not
// allow. The error says which application and what to do instead.
var (
	// ErrExists is of Create: the number is taken.
	ErrExists = errors.New("exists already")
	// ErrNoKey is of BoundKey and WithdrawKey: the application has no such key.
	ErrNoKey = errors.New("no such key")
	// ErrConflict is of Create where no number is left; of AddKey and BoundKey,
	// which would make a third active key; of AddKey with a secret that a key of
	// the application has or had; of BoundKey on a withdrawn key; and of AddAdmin
	// where there are [im.MaxAdmins].
	ErrConflict = errors.New("conflict")
)

// firstApp is the lowest number that Create chooses by itself. The one below it
// is the application of -dev.
const firstApp im.AppID = 1400000002

// maxName is the length of an application's name in characters.
const maxName = 100

// ManagerStore keeps applications and tells what was changed of them.
type ManagerStore interface {
	// SaveApp makes an application or replaces it as a whole (keys,
	// administrators and settings with it), with the row that says who did it,
	// in one transaction. nil says that it is committed.
	SaveApp(ctx context.Context, row im.AppRow, audit im.AuditRow) error
}

// ManagerConfig is what a Manager is made from.
type ManagerConfig struct {
	Apps  *Registry
	Store ManagerStore
	Now   func() time.Time // nil for the clock
	// Changed is called after a change is committed and in the registry, one
	// change at a time. before is nil for a new application. It must change no
	// application itself. nil for nobody.
	Changed func(before, after *App)
}

// Manager changes applications while the server runs. A change is committed,
// then in effect for every request that begins after it, then told to Changed.
// Changes are made one at a time; reading never waits for one. What changes
// nothing is no change: nothing is written and nobody is told.
//
// It refuses with CodeNoApp an application that does not exist, with
// CodeInvalid what no application may have, and as [ErrExists], [ErrNoKey] and
// [ErrConflict] say. After any error the applications are as they were. No error
// and no audit row of it holds a secret.
type Manager struct {
	cfg  ManagerConfig
	turn chan struct{} // holds one token while a change is made; the store is waited for under it
}

// NewManager makes a manager of the applications of a registry.
func NewManager(cfg ManagerConfig) *Manager {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Changed == nil {
		cfg.Changed = func(_, _ *App) {}
	}
	return &Manager{cfg: cfg, turn: make(chan struct{}, 1)}
}

// New is an application to be made.
type New struct {
	ID       im.AppID // 0 for the next free one
	Name     string   // 1 to 100 printable characters; "" for app-<ID>
	Secret   string   // of its first key, as in AddKey; "" for a random one
	Admins   []im.UserID
	Settings map[string]string // as they are written; the others have their defaults
}

// Change is what is to be changed of an application; nil leaves a thing as it
// is.
type Change struct {
	Name     *string // as in New
	Enabled  *bool
	Settings map[string]*string // by name; nil for the default
}

// Apps gives all applications by number, disabled ones too.
func (m *Manager) Apps() []*App {
	apps := *m.cfg.Apps.apps.Load()
	return slices.SortedFunc(maps.Values(apps), func(a, b *App) int { return cmp.Compare(a.ID, b.ID) })
}

// App gives one, disabled or not. It refuses with CodeNoApp.
func (m *Manager) App(id im.AppID) (*App, error) {
	a := (*m.cfg.Apps.apps.Load())[id]
	if a == nil {
		return nil, im.Err(im.CodeNoApp)
	}
	return a, nil
}

// Create makes an application, enabled, with one key, whose secret is in the
// answer. Without a number of its own it gets the one above the highest there
// is, so that none is used twice.
func (m *Manager) Create(ctx context.Context, actor string, n New) (*App, error) {
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	defer m.end()
	id, err := m.number(n.ID)
	if err != nil {
		return nil, err
	}
	row := im.AppRow{ID: id, Enabled: true, Created: m.cfg.Now().UnixMilli()}
	if row.Name, err = checkName(n.Name, id); err != nil {
		return nil, err
	}
	if row.Admins, err = checkAdmins(n.Admins); err != nil {
		return nil, err
	}
	key, err := newKey(nil, n.Secret, KeyBounds{}, m.cfg.Now().Unix())
	if err != nil {
		return nil, err
	}
	row.Keys = []im.AppKey{key}
	settings, err := checkSettings(n.Settings)
	if err != nil {
		return nil, err
	}
	row.Settings = settings.Changed()
	said := append([]string{fmt.Sprintf("name: %q", row.Name)}, differences(DefaultSettings(), settings)...)
	for _, u := range row.Admins {
		said = append(said, fmt.Sprintf("%s is an administrator", u))
	}
	audit := im.AuditRow{Actor: actor, Action: "app.create", Detail: strings.Join(said, ", ")}
	return m.commit(ctx, nil, row, audit)
}

// number gives the number of a new application, chosen where it is 0.
func (m *Manager) number(id im.AppID) (im.AppID, error) {
	if id != 0 {
		if _, err := m.App(id); err == nil {
			return 0, fmt.Errorf("%w: application %d; leave the number out for a free one", ErrExists, id)
		}
		return id, nil
	}
	highest := firstApp - 1
	for _, a := range m.Apps() {
		highest = max(highest, a.ID)
	}
	if highest == math.MaxUint32 {
		return 0, fmt.Errorf("%w: no number is left above application %d; give a free one", ErrConflict, highest)
	}
	return highest + 1, nil
}

// Change changes the name of an application, whether it is enabled, and its
// settings, all that is given or nothing.
func (m *Manager) Change(ctx context.Context, actor string, id im.AppID, c Change) (*App, error) {
	audit := im.AuditRow{Actor: actor, Action: "app.change"}
	return m.edit(ctx, id, audit, func(row *im.AppRow) (said []string, err error) {
		if c.Name != nil {
			name, err := checkName(*c.Name, id)
			if err != nil {
				return nil, err
			}
			if name != row.Name {
				said = append(said, fmt.Sprintf("name: %q → %q", row.Name, name))
			}
			row.Name = name
		}
		if c.Enabled != nil && *c.Enabled != row.Enabled {
			said = append(said, fmt.Sprintf("enabled: %t → %t", row.Enabled, *c.Enabled))
			row.Enabled = *c.Enabled
		}
		more, err := changeSettings(row, c.Settings)
		return append(said, more...), err
	})
}

func changeSettings(row *im.AppRow, values map[string]*string) (said []string, err error) {
	before, err := ParseSettings(row.Settings)
	if err != nil {
		return nil, err
	}
	rows, defaults := before.Changed(), DefaultSettings().Rows()
	for name, value := range values {
		if rows[name] = defaults[name]; value != nil { // "" for an unknown one, which is refused below
			rows[name] = *value
		}
	}
	after, err := checkSettings(rows)
	if err != nil {
		return nil, err
	}
	row.Settings = after.Changed()
	return differences(before, after), nil
}

// AddAdmin makes a user an administrator; RemoveAdmin undoes it. Neither minds
// what is so already.
func (m *Manager) AddAdmin(ctx context.Context, actor string, id im.AppID, user im.UserID) (*App, error) {
	audit := im.AuditRow{Actor: actor, User: user, Action: "admin.add"}
	return m.edit(ctx, id, audit, func(row *im.AppRow) ([]string, error) {
		if slices.Contains(row.Admins, user) {
			return nil, nil
		}
		if len(row.Admins) >= im.MaxAdmins {
			return nil, fmt.Errorf("%w: application %d has %d administrators, the most there may be; remove one first",
				ErrConflict, id, len(row.Admins))
		}
		admins, err := checkAdmins(append(row.Admins, user))
		row.Admins = admins
		return []string{fmt.Sprintf("%s is an administrator", user)}, err
	})
}

// RemoveAdmin undoes AddAdmin.
func (m *Manager) RemoveAdmin(ctx context.Context, actor string, id im.AppID, user im.UserID) (*App, error) {
	audit := im.AuditRow{Actor: actor, User: user, Action: "admin.remove"}
	return m.edit(ctx, id, audit, func(row *im.AppRow) ([]string, error) {
		if !slices.Contains(row.Admins, user) {
			return nil, nil
		}
		row.Admins = slices.DeleteFunc(row.Admins, func(u im.UserID) bool { return u == user })
		return []string{fmt.Sprintf("%s is no administrator any more", user)}, nil
	})
}

// edit changes the row of an application by f, which says in words what it
// changed, or nothing where there is nothing to change.
func (m *Manager) edit(
	ctx context.Context, id im.AppID, audit im.AuditRow, f func(*im.AppRow) ([]string, error),
) (*App, error) {
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	defer m.end()
	before, err := m.App(id)
	if err != nil {
		return nil, err
	}
	row := before.row()
	said, err := f(&row)
	if err != nil {
		return nil, err
	}
	if len(said) == 0 {
		return before, nil
	}
	audit.Detail = strings.Join(said, ", ")
	return m.commit(ctx, before, row, audit)
}

// commit makes a change true: on the disk, then for every request, then for
// Changed.
func (m *Manager) commit(ctx context.Context, before *App, row im.AppRow, audit im.AuditRow) (*App, error) {
	after, err := fromRow(row)
	if err != nil {
		return nil, err
	}
	audit.At, audit.App = m.cfg.Now().UnixMilli(), row.ID
	if err := m.cfg.Store.SaveApp(ctx, row, audit); err != nil {
		return nil, fmt.Errorf("carry out %s: %w", audit.Action, err)
	}
	m.cfg.Apps.put(after)
	m.cfg.Changed(before, after)
	return after, nil
}

func (m *Manager) begin(ctx context.Context) error {
	select {
	case m.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for another change: %w", ctx.Err())
	}
}

func (m *Manager) end() { <-m.turn }

// checkName gives the name that an application is to have.
func checkName(name string, id im.AppID) (string, error) {
	if name == "" {
		return "app-" + id.String(), nil
	}
	hidden := func(r rune) bool { return !unicode.IsPrint(r) }
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, hidden) {
		return "", im.Errorf(im.CodeInvalid, "name: want 1 to %d printable characters", maxName)
	}
	return name, nil
}

// checkAdmins gives the administrators by name, each once.
func checkAdmins(users []im.UserID) ([]im.UserID, error) {
	for _, u := range users {
		if !u.Valid() {
			return nil, im.Errorf(im.CodeInvalid, "administrator %q: %s", string(u), im.CodeInvalidUserID.Text())
		}
	}
	admins := slices.Compact(slices.Sorted(slices.Values(users)))
	if len(admins) > im.MaxAdmins {
		return nil, im.Errorf(im.CodeInvalid, "an application has at most %d administrators", im.MaxAdmins)
	}
	return admins, nil
}

func checkSettings(rows map[string]string) (Settings, error) {
	s, err := ParseSettings(rows)
	if err != nil {
		return s, im.Errorf(im.CodeInvalid, "%v", err)
	}
	return s, nil
}

// differences says in words which settings differ.
func differences(before, after Settings) (said []string) {
	was, is := before.Rows(), after.Rows()
	for _, d := range Describe() {
		if was[d.Name] != is[d.Name] {
			said = append(said, fmt.Sprintf("%s: %s → %s", d.Name, was[d.Name], is[d.Name]))
		}
	}
	return said
}
