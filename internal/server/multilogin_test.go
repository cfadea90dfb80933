package server_test

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-im/porchlight/internal/testkit"
)

// seeded runs a trial for each seed and each policy, every one in a bubble of
// its own. PORCHLIGHT_SEED=17 runs one seed, PORCHLIGHT_SEED=1-5000 many. A seed
// decides all but the order in which the server carries out what comes in one
// moment; that is left to its goroutines, so run a seed that failed a few times.
func seeded(t *testing.T, most, few int, run func(tr *trial)) {
	first, last := testkit.Seeds(t, most, few)
	for name := range rooms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := first; seed <= last && !t.Failed(); seed++ {
				rng := rand.New(rand.NewPCG(seed, 1))
				p := policy{name: name, native: 1 + rng.IntN(3), web: 1 + rng.IntN(4)}
				synctest.Test(t, func(t *testing.T) { run(newTrial(t, seed, p)) })
			}
		})
	}
}

// Ten devices of one user log in, leave in every way there is and come back, at
// random, for a minute, while another user watches.
func TestSE6_SE7_SE8_WI2_NeverNoneNeverTooManyEachLoserToldOnce(t *testing.T) {
	seeded(t, 8, 2, func(tr *trial) {
		tr.run(time.Minute, func() bool { return false })
		tr.end()
	})
}

// The same on a server that restarts now and then.
func TestSE6_SE7_WI3_WI17_RestartsBetween(t *testing.T) {
	seeded(t, 4, 1, func(tr *trial) {
		tr.run(time.Minute, func() bool { return tr.rng.IntN(10) == 0 })
		tr.end()
	})
}
