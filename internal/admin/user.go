package admin

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Users carries out an operator's orders about users. It refuses an account
// that does not exist with CodeNoAccount.
type Users interface {
	// Show gives what the server knows of a user.
	Show(ctx context.Context, key im.UserKey) (im.UserView, error)
	// Kick ends all sessions of a user and makes every UserSig of now and
	// before dead, for ever. nil says that it is committed.
	Kick(ctx context.Context, key im.UserKey, actor string) error
	// Ban is Kick, and no login until Unban.
	Ban(ctx context.Context, key im.UserKey, actor string) error
	// Unban lets a banned user log in again.
	Unban(ctx context.Context, key im.UserKey, actor string) error
}

// UserPath is the part of a path that names a user.
type UserPath struct {
	AppPath
	User string `path:"user" doc:"The UserID, percent-encoded." example:"alice"` // as it stands in the path
}

// find gives the key of a user, of whom nothing is known but that the
// application exists.
func (h *Handlers) find(at *UserPath) (im.UserKey, error) {
	text, err := url.PathUnescape(at.User)
	user := im.UserID(text)
	if err != nil || !user.Valid() {
		return im.UserKey{}, h.fail(im.Err(im.CodeInvalidUserID))
	}
	if _, err := h.cfg.Apps.App(at.App); err != nil {
		return im.UserKey{}, h.fail(err)
	}
	return im.UserKey{App: at.App, User: user}, nil
}

// user is a user as the operator sees them.
type user struct {
	App           im.AppID   `json:"app"`
	User          im.UserID  `json:"user"`
	TinyID        string     `json:"tinyID" doc:"The number of the account, as a text: it may be over 2^53."`
	Status        string     `json:"status" enum:"ONLINE,OFFLINE,UNLOGINED"`
	Custom        string     `json:"custom" doc:"The custom status."`
	Version       string     `json:"version" doc:"Of the status: an epoch and a sequence, which only rise."`
	Banned        bool       `json:"banned"`
	RevokedBefore *time.Time `json:"revokedBefore" doc:"UserSigs of that second and earlier are dead; null for none."`
	Watching      int        `json:"watching" doc:"Users on the subscription list."`
	Watchers      int        `json:"watchers" doc:"Accounts that watch the user now."`
	Sessions      []session  `json:"sessions" nullable:"false" doc:"The open ones first, then the newest."`
}

// session is a session as the operator sees it.
type session struct {
	Inst      im.InstID  `json:"inst" doc:"Its number among those of the user."`
	Platform  string     `json:"platform"`
	Key       uint32     `json:"key" doc:"The number of the secret key that signed its UserSig."`
	Opened    *time.Time `json:"opened"`
	Expires   *time.Time `json:"expires" doc:"When its UserSig expires."`
	Connected bool       `json:"connected"`
	Until     *time.Time `json:"until" doc:"When its grace ends, in which its user is what they were; null for none."`
	Closed    *time.Time `json:"closed" doc:"null while it is open."`
	Cause     string     `json:"cause,omitempty" doc:"Why it was closed."`
}

func viewUser(v im.UserView) user {
	u := user{
		App: v.User.App, User: v.User.User, TinyID: strconv.FormatInt(v.TinyID, 10),
		Status: v.Status.General.String(), Custom: v.Status.Custom, Version: fmt.Sprintf("%d.%d", v.Version.Epoch, v.Version.Seq),
		Banned: v.Banned, RevokedBefore: second(v.RevokedBefore),
		Watching: v.Watching, Watchers: v.Watchers, Sessions: []session{},
	}
	for _, s := range v.Sessions {
		row := session{
			Inst: s.Inst, Platform: s.Platform.String(), Key: s.KeyID, Opened: milli(s.Opened), Expires: milli(s.Expires),
			Connected: s.Connected, Until: milli(s.Until), Closed: milli(s.Closed),
		}
		if s.Closed != 0 {
			row.Cause = s.Cause.String()
		}
		u.Sessions = append(u.Sessions, row)
	}
	return u
}

type oneUser struct{ Body user }

func (h *Handlers) userRoutes(api huma.API) {
	const path = "/apps/{app}/users/{user}"
	huma.Register(api, operation(api, "GET "+path+" showUser", "Show a user"), h.showUser)
	for line, o := range map[string]struct {
		summary string
		order   func(ctx context.Context, key im.UserKey, actor string) error
	}{
		"POST " + path + "/kick kickUser":   {"End all sessions of a user; UserSigs minted until now are dead for good", h.cfg.Users.Kick},
		"PUT " + path + "/ban banUser":      {"Kick a user and let them in no more", h.cfg.Users.Ban},
		"DELETE " + path + "/ban unbanUser": {"Let a banned user in again, with a new UserSig", h.cfg.Users.Unban},
	} {
		op := operation(api, line, o.summary)
		op.DefaultStatus = http.StatusNoContent
		huma.Register(api, op, func(ctx context.Context, in *UserPath) (*struct{}, error) {
			key, err := h.find(in)
			if err != nil {
				return nil, err
			}
			if err := o.order(ctx, key, actor); err != nil {
				return nil, h.fail(err)
			}
			return nil, nil
		})
	}
}

func (h *Handlers) showUser(ctx context.Context, in *UserPath) (*oneUser, error) {
	key, err := h.find(in)
	if err != nil {
		return nil, err
	}
	view, err := h.cfg.Users.Show(ctx, key)
	if err != nil {
		return nil, h.fail(err)
	}
	return &oneUser{viewUser(view)}, nil
}
