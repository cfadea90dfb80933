package gateway

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/status"
	"github.com/porchlight-im/porchlight/internal/wire"
)

// AppChanged carries a change of an application to those who are connected:
// sessions of a withdrawn key end, sockets of a disabled application are closed,
// and what its clients may do is told to them at once. Commands need no telling:
// each looks the application up. before is nil for a new one.
func (g *Gateway) AppChanged(before, after *app.App) {
	if before == nil {
		before = after
	}
	if listens(after) != listens(before) || before == after {
		g.muteOrNot(after)
	}
	if to := switches(after); to != switches(before) || before == after {
		g.cfg.Status.Switch(after.ID, to)
		g.tasks.Go(func() { g.follow(after.ID) })
	}
	sessions := g.memory.ofApp(after.ID)
	if before.Enabled && !after.Enabled {
		for _, s := range sessions {
			if c := s.conn.Load(); c != nil {
				c.shut(im.CauseBreak, tryAgainLater, im.CodeAppDisabled.Text())
			}
		}
	}
	var withdrawn []*session
	for _, s := range sessions {
		if before.Key(s.KeyID) && !after.Key(s.KeyID) {
			withdrawn = append(withdrawn, s)
		}
	}
	g.endAll(withdrawn, im.CauseExpiry)
	for _, push := range news(before, after, g.cfg.Now().Unix()) {
		for _, s := range sessions {
			if c := s.conn.Load(); c != nil && s.cause() == im.CauseNone {
				c.reply(push)
			}
		}
	}
}

// listens reports whether an application's users are told of others.
func listens(a *app.App) bool { return a.Settings.StatusOn && a.Settings.StatusEdition }

// muteOrNot turns the switch before it returns, so that of many the last counts;
// telling everybody takes its time.
func (g *Gateway) muteOrNot(a *app.App) {
	if !listens(a) {
		g.cfg.Status.Mute(a.ID)
		return
	}
	if !g.cfg.Status.Unmute(a.ID) {
		return
	}
	g.tasks.Go(func() {
		if err := g.cfg.Status.Retell(context.Background(), a.ID); err != nil {
			g.cfg.Log.Error("tell statuses after a switch was turned on", "app", a.ID, "err", err)
		}
	})
}

// switches gives what an application says of friends and of who is blocked.
func switches(a *app.App) status.Switches {
	return status.Switches{FriendNotices: a.Settings.FriendNotices, HideFromBlocked: a.Settings.HideFromBlocked}
}

// follow has those who are connected follow their application's switches.
func (g *Gateway) follow(id im.AppID) {
	if err := g.cfg.Status.Follow(context.Background(), id); err != nil {
		g.cfg.Log.Error("follow the switches of an application", "app", id, "err", err)
	}
}

// news gives the pushes that tell clients what a change means for them.
func news(before, after *app.App, now int64) (pushes [][]byte) {
	none := jsontext.Value("0")
	if bits := abilities(after); bits != abilities(before) {
		body := wire.Abilitied{Answer: wire.OK(), Bits: bits, Expires: refetch}
		pushes = append(pushes, wire.AppendAnswer(nil, wire.PushAbilities, none, now, body))
	}
	if cloudConfig(&after.Settings) != cloudConfig(&before.Settings) {
		// Every limit, also one that is the client's own default again: a client
		// keeps what it was told of one that is left out.
		body := configured(after.ID, limitsConfig(&after.Settings))
		pushes = append(pushes, wire.AppendAnswer(nil, wire.PushConfig, none, now, body))
	}
	return pushes
}

// enders is how many sessions are ended at a time: enough to share commits.
const enders = 128

// endAll ends sessions by a cause that needs no answer. Their commands are
// refused from now on; the rest is done soon.
func (g *Gateway) endAll(sessions []*session, cause im.Cause) {
	if len(sessions) == 0 {
		return
	}
	todo := make(chan *session, len(sessions))
	for _, s := range sessions {
		s.end(cause)
		todo <- s
	}
	close(todo)
	for range min(enders, len(sessions)) {
		g.tasks.Go(func() {
			for s := range todo {
				ctx, cancel := context.WithTimeout(context.Background(), g.lim.CommandTimeout)
				g.endSession(ctx, s, cause)
				cancel()
			}
		})
	}
}

// ofApp gives the sessions of an application.
func (m *memory) ofApp(id im.AppID) (of []*session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.sessions {
		if s.App == id {
			of = append(of, s)
		}
	}
	return of
}
