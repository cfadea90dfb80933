package admin

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/im"
)

// AppPath is the part of a path that names an application. It is exported for
// the library alone, which does not see what is not, and so are KeyPath and
// UserPath.
type AppPath struct {
	App im.AppID `path:"app" minimum:"1" maximum:"4294967295" doc:"The SDKAppID." example:"1400000001"`
}

// application is an application as its operator sees it.
type application struct {
	ID       im.AppID    `json:"id" doc:"The SDKAppID."`
	Name     string      `json:"name"`
	Enabled  bool        `json:"enabled" doc:"false refuses all its users."`
	Created  *time.Time  `json:"created"`
	Keys     []key       `json:"keys" nullable:"false" doc:"The secret keys, by number, withdrawn ones too."`
	Admins   []im.UserID `json:"admins" nullable:"false" doc:"The administrators, sorted."`
	Settings settings    `json:"settings" doc:"What is in effect, by the name of the setting."`
	Changed  []string    `json:"changed" nullable:"false" doc:"The settings that differ from their defaults."`
}

// settings are values of settings by name: switches, numbers, and texts for
// times and policies.
type settings map[string]any

// Schema says that a value is one of four kinds.
func (settings) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: &huma.Schema{AnyOf: []*huma.Schema{
		{Type: huma.TypeBoolean}, {Type: huma.TypeNumber}, {Type: huma.TypeString}, {Type: "null"},
	}}}
}

// rows gives the values as they are written, nil for the default.
func (s settings) rows() (map[string]*string, error) {
	rows := make(map[string]*string, len(s))
	for _, name := range slices.Sorted(maps.Keys(s)) {
		var text string
		switch v := s[name].(type) {
		case nil:
			rows[name] = nil
			continue
		case bool:
			text = strconv.FormatBool(v)
		case float64:
			text = strconv.FormatFloat(v, 'f', -1, 64)
		case string:
			text = v
		default:
			return nil, invalid("body.settings."+name, "expected true, false, a number, a text, or null for the default")
		}
		rows[name] = &text
	}
	return rows, nil
}

// typed gives the value of a setting from its text.
func typed(kind, text string) any {
	switch kind {
	case "bool":
		return text == "true"
	case "int":
		n, err := strconv.ParseInt(text, 10, 64)
		if err == nil {
			return n
		}
	}
	return text
}

// setting describes one of the settings.
type setting struct {
	Name    string `json:"name"`
	Kind    string `json:"kind" enum:"bool,int,duration,policy,allow,fields"`
	Default any    `json:"default" doc:"A switch, a number or a text, as the kind says."`
	Min     *int64 `json:"min" doc:"Of an int, or of a duration in seconds."`
	Max     *int64 `json:"max" doc:"Of an int, or of a duration in seconds."`
	Doc     string `json:"doc"`
}

func viewSetting(d app.Setting) setting {
	s := setting{Name: d.Name, Kind: d.Kind, Default: typed(d.Kind, d.Default), Doc: d.Doc}
	if d.Kind == "int" || d.Kind == "duration" {
		s.Min, s.Max = &d.Min, &d.Max
	}
	return s
}

func viewApp(a *app.App) application {
	v := application{
		ID: a.ID, Name: a.Name, Enabled: a.Enabled, Created: milli(a.Created),
		Keys: []key{}, Admins: []im.UserID{}, Settings: settings{}, Changed: []string{},
	}
	now := time.Now()
	for _, k := range a.Keys {
		v.Keys = append(v.Keys, viewKey(k, now))
	}
	v.Admins = slices.AppendSeq(v.Admins, maps.Keys(a.Admins))
	slices.Sort(v.Admins)
	rows := a.Settings.Rows()
	for _, d := range app.Describe() {
		v.Settings[d.Name] = typed(d.Kind, rows[d.Name])
		if rows[d.Name] != d.Default {
			v.Changed = append(v.Changed, d.Name)
		}
	}
	return v
}

// The answers about applications.
type (
	oneApp struct{ Body application }

	manyApps struct {
		Body struct {
			Apps []application `json:"apps" nullable:"false" doc:"By number."`
		}
	}

	manySettings struct {
		Body struct {
			Settings []setting `json:"settings" nullable:"false"`
		}
	}
)

// newApp is an application to be made.
type newApp struct {
	Body struct {
		ID       int64       `json:"id,omitempty" minimum:"0" maximum:"4294967295" doc:"The SDKAppID; the next free one if it is left out."`
		Name     string      `json:"name,omitempty"`
		Secret   string      `json:"secret,omitempty" doc:"Of its first key; random if it is left out."`
		Admins   []im.UserID `json:"admins,omitempty" nullable:"false"`
		Settings settings    `json:"settings,omitempty"`
	}
}

// appChange is what is to be changed of an application.
type appChange struct {
	AppPath
	Body struct {
		Name     *string  `json:"name,omitempty"`
		Enabled  *bool    `json:"enabled,omitempty" doc:"false refuses all its users."`
		Settings settings `json:"settings,omitempty" doc:"null sets one to its default; what is left out stays."`
	}
}

func (h *Handlers) appRoutes(api huma.API) {
	huma.Register(api, operation(api, "GET /apps listApps", "List the applications"), h.listApps)
	create := operation(api, "POST /apps createApp", "Make an application; the answer holds its secret key, once")
	create.DefaultStatus = http.StatusCreated
	huma.Register(api, create, h.createApp)
	huma.Register(api, operation(api, "GET /apps/{app} showApp", "Show an application"), h.showApp)
	huma.Register(api, operation(api, "PATCH /apps/{app} changeApp", "Change an application"), h.changeApp)
	huma.Register(api, operation(api, "GET /settings listSettings", "List what can be set of an application"), listSettings)
	huma.Register(api, operation(api, "PUT /apps/{app}/admins/{user} addAdmin", "Make a user an administrator"), h.addAdmin)
	huma.Register(api, operation(api, "DELETE /apps/{app}/admins/{user} removeAdmin", "Make a user no administrator"), h.removeAdmin)
}

func (h *Handlers) listApps(context.Context, *struct{}) (*manyApps, error) {
	out := &manyApps{}
	out.Body.Apps = []application{}
	for _, a := range h.cfg.Apps.Apps() {
		out.Body.Apps = append(out.Body.Apps, viewApp(a))
	}
	return out, nil
}

func listSettings(context.Context, *struct{}) (*manySettings, error) {
	out := &manySettings{}
	for _, d := range app.Describe() {
		out.Body.Settings = append(out.Body.Settings, viewSetting(d))
	}
	return out, nil
}

// app gives the answer that shows an application, or what went wrong.
func (h *Handlers) app(a *app.App, err error) (*oneApp, error) {
	if err != nil {
		return nil, h.fail(err)
	}
	return &oneApp{viewApp(a)}, nil
}

func (h *Handlers) createApp(ctx context.Context, in *newApp) (*oneApp, error) {
	b := in.Body
	rows, err := b.Settings.rows()
	if err != nil {
		return nil, err
	}
	n := app.New{ID: im.AppID(b.ID), Name: b.Name, Secret: b.Secret, Admins: b.Admins, Settings: map[string]string{}}
	for name, text := range rows {
		if text != nil {
			n.Settings[name] = *text
		}
	}
	a, err := h.cfg.Apps.Create(ctx, actor, n)
	out, err := h.app(a, err)
	if err == nil {
		out.Body.Keys[0].Secret = a.Keys[0].Secret
	}
	return out, err
}

func (h *Handlers) showApp(_ context.Context, in *AppPath) (*oneApp, error) {
	return h.app(h.cfg.Apps.App(in.App))
}

func (h *Handlers) changeApp(ctx context.Context, in *appChange) (*oneApp, error) {
	rows, err := in.Body.Settings.rows()
	if err != nil {
		return nil, err
	}
	return h.app(h.cfg.Apps.Change(ctx, actor, in.App, app.Change{Name: in.Body.Name, Enabled: in.Body.Enabled, Settings: rows}))
}

func (h *Handlers) addAdmin(ctx context.Context, in *UserPath) (*oneApp, error) {
	key, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return h.app(h.cfg.Apps.AddAdmin(ctx, actor, key.App, key.User))
}

func (h *Handlers) removeAdmin(ctx context.Context, in *UserPath) (*oneApp, error) {
	key, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return h.app(h.cfg.Apps.RemoveAdmin(ctx, actor, key.App, key.User))
}
