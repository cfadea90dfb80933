package status_test

import (
	"context"

	"github.com/porchlight-im/porchlight/internal/im"
)

// pause stops the process for a while: all that became due acts at once afterwards.
func (s *sim) pause() bool {
	d := 1 + s.rng.Int64N(30_000)
	s.logf("pause of %d ms", d)
	s.m.steady, s.m.wall = s.m.steady+d, s.m.wall+d
	s.act()
	return true
}

// setClock sets the wall clock.
func (s *sim) setClock() bool {
	d := []int64{1, 5000, 3_600_000, 25 * 3_600_000}[s.rng.IntN(4)] * (1 - 2*s.rng.Int64N(2))
	s.logf("the clock is set by %d ms", d)
	s.m.wall += d
	s.act()
	return true
}

func (s *sim) changeMood() bool {
	s.moody, s.store.deaf = mood(s.rng.IntN(len(moods))), s.rng.IntN(3) == 0
	s.counts["deaf"] += map[bool]int{true: 1}[s.store.deaf]
	s.logf("writes: %s; deaf %v", moods[s.moody], s.store.deaf)
	return true
}

func (s *sim) mute() bool {
	app := im.AppID(1 + s.rng.IntN(2))
	s.logf("mute %v", app)
	s.m.muted[app] = true
	s.e.Mute(app)
	return true
}

func (s *sim) unmute() bool {
	for app := range im.AppID(3) {
		if s.m.muted[app] {
			s.unmuteApp(app)
			return true
		}
	}
	return false
}

func (s *sim) unmuteApp(app im.AppID) {
	s.logf("unmute %v", app)
	delete(s.m.muted, app)
	catching := func(on bool) {
		for _, c := range s.clients {
			if c.conn != nil {
				c.conn.catching = on
			}
		}
	}
	catching(true)
	deaf := s.store.deaf
	s.store.deaf = false
	if !s.e.Unmute(app) {
		s.fail("ST10", "it was not muted")
	}
	if err := s.e.Retell(context.Background(), app); err != nil {
		s.fail("ST10", "unmute: %v", err)
	}
	s.store.deaf = deaf
	catching(false)
}

// arm has the process die in the next call of some kind to the store.
func (s *sim) arm() bool {
	call := []string{"OpenSession", "CloseSessions", "SaveLive", "Revoke", "SaveWatching", "ClearWatching"}[s.rng.IntN(6)]
	s.crash = call + []string{"", "+"}[s.rng.IntN(2)]
	return true
}

// restart drains the process as SIGTERM does and starts another.
func (s *sim) restart() bool {
	s.logf("restart")
	s.crash = ""
	for _, c := range s.clients {
		if connected(c) {
			s.leaveBy(c, im.CauseNode)
		}
	}
	s.flush()
	s.die()
	return true
}
