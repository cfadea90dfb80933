package status

import (
	"slices"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Policy is an application's multi-login policy with its limits.
type Policy struct {
	Policy    im.Policy
	PerNative int // sessions on one native platform under PolicyMulti; otherwise 1
	PerWeb    int // web sessions, under every policy
}

// Losers gives which of a user's open sessions a login from platform p pushes
// out, each with its cause. Of those over a limit who is away goes first, then
// who logged in first.
func (pol Policy) Losers(open []im.SessionRow, p im.Platform, live func(im.InstID) bool) []im.SessionRow {
	var losers, same []im.SessionRow
	for _, s := range open {
		switch {
		case s.Closed != 0:
		case s.Platform == p:
			same = append(same, s)
		case pol.excludes(s.Platform, p):
			s.Cause = im.CauseKickOther
			losers = append(losers, s)
		}
	}
	slices.SortStableFunc(same, func(a, b im.SessionRow) int {
		if la, lb := live(a.Inst), live(b.Inst); la != lb {
			if lb {
				return -1
			}
			return 1
		}
		return int(min(1, max(-1, a.Opened-b.Opened)))
	})
	for over := len(same) + 1 - pol.limit(p); over > 0 && len(same) > 0; over-- {
		s := same[0]
		s.Cause = im.CauseKickSame
		losers, same = append(losers, s), same[1:]
	}
	return losers
}

// limit gives how many sessions may be open on one platform.
func (pol Policy) limit(p im.Platform) int {
	switch {
	case p == im.Web:
		return max(1, pol.PerWeb)
	case pol.Policy == im.PolicyMulti:
		return max(1, pol.PerNative)
	default:
		return 1
	}
}

// excludes reports whether two different platforms may not be logged in at
// once. Linux counts as Windows does.
func (pol Policy) excludes(a, b im.Platform) bool {
	switch pol.Policy {
	case im.PolicyMulti:
		return false
	case im.PolicySingle:
		return true
	case im.PolicyTriple:
		return a != im.Web && b != im.Web && mobile(a) == mobile(b)
	default:
		return a != im.Web && b != im.Web
	}
}

func mobile(p im.Platform) bool { return p == im.Android || p == im.IPhone || p == im.IPad }
