package admin

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Audit tells who has ordered what.
type Audit interface {
	// Audit gives rows, newest first: of one application, or of all for 0;
	// those before the row of that ID, or the newest for 0.
	Audit(ctx context.Context, app im.AppID, before int64, limit int) ([]im.AuditRow, error)
}

// auditRow is a row of the audit.
type auditRow struct {
	ID     int64      `json:"id" doc:"Rises with each row."`
	At     *time.Time `json:"at"`
	Actor  string     `json:"actor" doc:"Who ordered it."`
	App    im.AppID   `json:"app"`
	User   im.UserID  `json:"user,omitempty" doc:"Whom it is about, where it is about a user."`
	Action string     `json:"action" doc:"Such as app.change or user.kick."`
	Detail string     `json:"detail" doc:"What changed, in words."`
}

type auditQuery struct {
	App    im.AppID `query:"app" minimum:"0" maximum:"4294967295" doc:"Of one application; of all if it is left out."`
	Before int64    `query:"before" minimum:"0" doc:"Rows older than the one of this ID: the next of the page before."`
	Limit  int      `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type auditPage struct {
	Body struct {
		Rows []auditRow `json:"rows" nullable:"false" doc:"The newest first."`
		Next int64      `json:"next,omitempty" doc:"Ask with it as before for the page that follows, if there may be one."`
	}
}

func (h *Handlers) auditRoutes(api huma.API) {
	huma.Register(api, operation(api, "GET /audit listAudit", "Tell who ordered what"), h.listAudit)
}

func (h *Handlers) listAudit(ctx context.Context, in *auditQuery) (*auditPage, error) {
	if in.App != 0 {
		if _, err := h.cfg.Apps.App(in.App); err != nil {
			return nil, h.fail(err)
		}
	}
	rows, err := h.cfg.Audit.Audit(ctx, in.App, in.Before, in.Limit)
	if err != nil {
		return nil, h.fail(err)
	}
	out := &auditPage{}
	out.Body.Rows = make([]auditRow, len(rows))
	for i, r := range rows {
		out.Body.Rows[i] = auditRow{
			ID: r.ID, At: milli(r.At), Actor: r.Actor, App: r.App, User: r.User, Action: r.Action, Detail: r.Detail,
		}
	}
	if len(rows) == in.Limit {
		out.Body.Next = rows[len(rows)-1].ID
	}
	return out, nil
}
