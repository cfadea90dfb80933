package gateway

import (
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// workers serve what connections read, so that the goroutine of a connection at
// rest keeps a small stack: decoding and committing call deep, and a stack that
// has grown stays so until the next collection. There are as many as there are
// requests under way; a few wait for more.
type workers struct {
	jobs    chan job
	results sync.Pool // of chan error, lent to connections while they wait
	idle    atomic.Int32
	done    chan struct{}
	wg      sync.WaitGroup
}

// job is what a connection wants done.
type job struct {
	c      *conn
	data   []byte
	finish bool // the connection has ended
	result chan error
}

// idleWorkers is how many wait for work; the others end when they have none.
const idleWorkers = 16

func newWorkers() *workers {
	w := &workers{jobs: make(chan job), done: make(chan struct{})}
	w.results.New = func() any { return make(chan error, 1) }
	return w
}

// do has a job done by a worker that waits, or by a new one.
func (w *workers) do(j job) error {
	j.result = w.results.Get().(chan error)
	defer w.results.Put(j.result)
	select {
	case w.jobs <- j:
	default:
		w.start(j)
	}
	return <-j.result
}

// start is apart from do, whose frame stays on the stack of every connection.
func (w *workers) start(j job) { w.wg.Go(func() { w.run(j) }) }

func (w *workers) run(j job) {
	for {
		j.result <- j.run()
		j = job{}
		if w.idle.Add(1) > idleWorkers {
			w.idle.Add(-1)
			return
		}
		select {
		case j = <-w.jobs:
			w.idle.Add(-1)
		case <-w.done:
			return
		}
	}
}

// run does the job. A panic is a mistake of ours: it ends this connection and no
// other.
func (j job) run() (err error) {
	defer func() {
		if p := recover(); p != nil {
			j.c.g.metrics.panics.Inc()
			j.c.g.cfg.Log.Error("serving a connection", "err", p, "stack", string(debug.Stack()))
			err = errEnd
		}
	}()
	if j.finish {
		j.c.finish()
		return nil
	}
	return j.c.feed(j.data)
}

// stop ends the workers. No connection may be left.
func (w *workers) stop() {
	close(w.done)
	w.wg.Wait()
}
