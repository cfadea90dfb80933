package gateway

import (
	"syscall"
	"time"
)

// threadTime gives the processor time of the calling thread: on a machine that
// others use too it tells what a step takes from how long it waits for its turn.
func threadTime() time.Duration {
	const thread = 1 // RUSAGE_THREAD
	var use syscall.Rusage
	_ = syscall.Getrusage(thread, &use) // it cannot fail
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
