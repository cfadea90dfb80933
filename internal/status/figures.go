package status

import (
	"sync"
	"sync/atomic"

	"github.com/porchlight-im/porchlight/internal/im"
)

// figures counts, for each application, what its operator is told. There is one
// entry an application.
type figures struct {
	apps sync.Map // im.AppID to *appFigures
}

type appFigures struct {
	online atomic.Int64 // users now
	peak   atomic.Int64 // the most of them since it was taken
	logins atomic.Int64 // by UserSig, since they were taken
}

func (f *figures) of(app im.AppID) *appFigures {
	if v, ok := f.apps.Load(app); ok {
		return v.(*appFigures)
	}
	v, _ := f.apps.LoadOrStore(app, &appFigures{})
	return v.(*appFigures)
}

// turned counts a user who came or left.
func (f *figures) turned(app im.AppID, before, after im.General) {
	if (before == im.Online) == (after == im.Online) {
		return
	}
	a := f.of(app)
	if after != im.Online {
		a.online.Add(-1)
		return
	}
	raise(&a.peak, a.online.Add(1))
}

// raise makes n at least least.
func raise(n *atomic.Int64, least int64) {
	for {
		was := n.Load()
		if was >= least || n.CompareAndSwap(was, least) {
			return
		}
	}
}

// Take gives, for each application, the logins and the most users at once since
// it was called last.
func (e *Engine) Take() map[im.AppID]im.Day {
	taken := make(map[im.AppID]im.Day)
	e.figures.apps.Range(func(app, v any) bool {
		f := v.(*appFigures)
		d := im.Day{Logins: f.logins.Swap(0), Online: f.peak.Swap(0)}
		raise(&f.peak, f.online.Load())
		taken[app.(im.AppID)] = d
		return true
	})
	return taken
}
