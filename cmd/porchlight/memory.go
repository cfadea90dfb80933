package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// trimEvery is how often trim looks, and trimLeast what it thinks worth a
// collection, in bytes.
const (
	trimEvery = 10 * time.Second
	trimLeast = 1 << 20
)

// The figures by which trim decides.
const (
	heapLive    = "/gc/heap/live:bytes"
	heapObjects = "/memory/classes/heap/objects:bytes"
	heapFree    = "/memory/classes/heap/free:bytes"
	gcCycles    = "/gc/cycles/total:gc-cycles"
)

// trim gives memory back after a burst. The runtime does so only after a
// collection, and a server whose clients have come and now idle does not collect
// for minutes. It looks at the figures alone, and collects only where no
// collection has come by itself and a thirty-second of the heap would be freed. The
// heap is the process's, and so it is the program that does this.
func trim(ctx context.Context) {
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	figures := []metrics.Sample{{Name: heapLive}, {Name: heapObjects}, {Name: heapFree}, {Name: gcCycles}}
	var cycles uint64
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		metrics.Read(figures)
		live, objects, free := figures[0].Value.Uint64(), figures[1].Value.Uint64(), figures[2].Value.Uint64()
		quiet := figures[3].Value.Uint64() == cycles
		if quiet && objects+free > live+live/32+trimLeast {
			debug.FreeOSMemory()
			metrics.Read(figures)
		}
		cycles = figures[3].Value.Uint64()
	}
}
