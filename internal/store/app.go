package store

import (
	"context"
	"fmt"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store/sqlc"
)

// Apps gives all applications by number, with their keys by number and their
// administrators in the order they were given.
func (s *Store) Apps(ctx context.Context) ([]im.AppRow, error) {
	var apps []im.AppRow
	err := s.read(ctx, func(ctx context.Context, r reader) (err error) {
		apps, err = loadApps(ctx, r.Queries)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load applications: %w", err)
	}
	return apps, nil
}

func loadApps(ctx context.Context, q *sqlc.Queries) ([]im.AppRow, error) {
	rows, err := q.Apps(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := q.AppKeys(ctx)
	if err != nil {
		return nil, err
	}
	admins, err := q.AppAdmins(ctx)
	if err != nil {
		return nil, err
	}
	settings, err := q.AppSettings(ctx)
	if err != nil {
		return nil, err
	}
	apps := make([]im.AppRow, len(rows))
	at := make(map[im.AppID]*im.AppRow, len(rows)) // each child row has its application: a foreign key
	for i, r := range rows {
		apps[i] = im.AppRow{ID: r.AppID, Name: r.Name, Enabled: r.Enabled, Created: r.Created}
		at[r.AppID] = &apps[i]
	}
	for _, k := range keys {
		a := at[k.AppID]
		a.Keys = append(a.Keys, im.AppKey{
			ID: k.KeyID, Secret: k.Secret, NotBefore: k.NotBefore, NotAfter: k.NotAfter, Withdrawn: k.Withdrawn,
		})
	}
	for _, r := range admins {
		a := at[r.AppID]
		a.Admins = append(a.Admins, r.UserID)
	}
	for _, r := range settings {
		a := at[r.AppID]
		if a.Settings == nil {
			a.Settings = make(map[string]string)
		}
		a.Settings[r.Name] = r.Value
	}
	return apps, nil
}

// CreateApp adds an application with its keys, administrators and settings. It
// gives [ErrExists] if the number is taken. PostgreSQL takes no NUL in a text,
// so neither name, secret nor setting may hold one.
func (s *Store) CreateApp(ctx context.Context, app im.AppRow) error {
	err := s.write(ctx, func(ctx context.Context, q *sqlc.Queries) error { return createApp(ctx, q, app) })
	if err != nil {
		return fmt.Errorf("create application %d: %w", app.ID, err)
	}
	return nil
}

func createApp(ctx context.Context, q *sqlc.Queries, app im.AppRow) error {
	n, err := q.CreateApp(ctx, sqlc.CreateAppParams{
		AppID: app.ID, Name: app.Name, Enabled: app.Enabled, Created: app.Created,
	})
	if err != nil {
		return err
	}
	if n == 0 {
		return refuse(ErrExists)
	}
	return fillApp(ctx, q, app)
}

// SaveApp adds an application or replaces it as a whole, with its keys,
// administrators and settings; when it was created stays as it was. With it goes
// the audit row, which is about that application whatever it says. For the texts
// holds what [Store.CreateApp] says.
func (s *Store) SaveApp(ctx context.Context, app im.AppRow, audit im.AuditRow) error {
	audit.App = app.ID
	err := s.write(ctx, func(ctx context.Context, q *sqlc.Queries) error {
		if err := saveApp(ctx, q, app); err != nil {
			return err
		}
		return createAudit(ctx, q, audit)
	})
	if err != nil {
		return fmt.Errorf("save application %d: %w", app.ID, err)
	}
	return nil
}

func saveApp(ctx context.Context, q *sqlc.Queries, app im.AppRow) error {
	err := q.SaveApp(ctx, sqlc.SaveAppParams{
		AppID: app.ID, Name: app.Name, Enabled: app.Enabled, Created: app.Created,
	})
	if err != nil {
		return err
	}
	for _, drop := range []func(context.Context, im.AppID) error{q.ClearAppKeys, q.ClearAppAdmins, q.ClearAppSettings} {
		if err := drop(ctx, app.ID); err != nil {
			return fmt.Errorf("clear what it had: %w", err)
		}
	}
	return fillApp(ctx, q, app)
}

// fillApp adds the keys, administrators and settings of an application that has
// none.
func fillApp(ctx context.Context, q *sqlc.Queries, app im.AppRow) error {
	for _, k := range app.Keys {
		err := q.CreateAppKey(ctx, sqlc.CreateAppKeyParams{
			AppID: app.ID, KeyID: k.ID, Secret: k.Secret,
			NotBefore: k.NotBefore, NotAfter: k.NotAfter, Withdrawn: k.Withdrawn,
		})
		if err != nil {
			return fmt.Errorf("key %d: %w", k.ID, err)
		}
	}
	for i, u := range app.Admins {
		if err := q.CreateAppAdmin(ctx, sqlc.CreateAppAdminParams{AppID: app.ID, UserID: u, Position: int64(i)}); err != nil {
			return fmt.Errorf("administrator %s: %w", u, err)
		}
	}
	for name, value := range app.Settings {
		if err := q.CreateAppSetting(ctx, sqlc.CreateAppSettingParams{AppID: app.ID, Name: name, Value: value}); err != nil {
			return fmt.Errorf("setting %s: %w", name, err)
		}
	}
	return nil
}

// AddDay adds to what is kept of a day of an application: logins, and the most
// users at once, of which the greatest stays. The accounts are counted as they
// are made and deleted.
func (s *Store) AddDay(ctx context.Context, app im.AppID, d im.Day) error {
	err := s.write(ctx, func(ctx context.Context, q *sqlc.Queries) error {
		return q.AddDay(ctx, sqlc.AddDayParams{AppID: app, Day: d.Day, Logins: d.Logins, Online: d.Online})
	})
	if err != nil {
		return fmt.Errorf("save a day of application %d: %w", app, err)
	}
	return nil
}

// Days gives the days of an application from since to last, the last one first.
func (s *Store) Days(ctx context.Context, app im.AppID, since, last int64) ([]im.Day, error) {
	var rows []sqlc.DaysRow
	var accounts int64
	err := s.read(ctx, func(ctx context.Context, r reader) (err error) {
		if accounts, err = r.CountAccounts(ctx, app); err != nil {
			return err
		}
		rows, err = r.Days(ctx, sqlc.DaysParams{AppID: app, Day: since})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load the days of application %d: %w", app, err)
	}
	var days []im.Day
	for day := last; day >= since; day-- {
		for len(rows) > 0 && rows[0].Day > day { // the clock was ahead
			accounts += rows[0].Deleted - rows[0].Registered
			rows = rows[1:]
		}
		d := im.Day{Day: day, Accounts: accounts}
		if len(rows) > 0 && rows[0].Day == day {
			r := rows[0]
			d.Registered, d.Deleted, d.Logins, d.Online = r.Registered, r.Deleted, r.Logins, r.Online
			accounts += d.Deleted - d.Registered // there were at the end of the day before
			rows = rows[1:]
		}
		days = append(days, d)
	}
	return days, nil
}
