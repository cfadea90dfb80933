package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/porchlight-im/porchlight/internal/store/sqlc"
)

const (
	defaultGather = 5 * time.Millisecond
	maxBatch      = 500  // ops in one commit
	maxQueue      = 4096 // ops that wait; more callers wait to enter

	// lullOf is what part of the time to gather may pass without an arrival
	// before the writer stops waiting. Callers answered together come again
	// together: when the last of them is here, waiting longer gathers nothing.
	lullOf = 5

	retryPause = 10 * time.Millisecond // before a transaction is tried again, doubled each time
	retryFor   = time.Second           // after which none is: its callers wait
)

// Stats are the writer's figures since the start.
type Stats struct {
	Commits uint64 // transactions committed
	Ops     uint64 // ops committed with them
	Failed  uint64 // ops that failed: their callers have an error
	Unknown uint64 // those of them that may have been committed nevertheless
	Retried uint64 // transactions tried again, for a clash with another or a lost connection
	Refused uint64 // ops that decided to write nothing, such as a revoked login
	Skipped uint64 // ops whose callers gave up before they began
	Queue   int    // ops waiting now
	Batch   int    // ops of the last commit
}

// Stats gives the figures of the moment.
func (s *Store) Stats() Stats {
	w := s.writer
	return Stats{
		Commits: w.commits.Load(),
		Ops:     w.ops.Load(),
		Failed:  w.failed.Load(),
		Unknown: w.unknown.Load(),
		Retried: w.retried.Load(),
		Refused: w.refused.Load(),
		Skipped: w.skipped.Load(),
		Queue:   len(w.queue),
		Batch:   int(w.batch.Load()),
	}
}

// refusal is the error of an op that has written nothing: the ops beside it
// need not be rolled back.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// refuse is for an op to return before it has written anything.
func refuse(err error) error { return refusal{err} }

// op is one transaction's worth of work that waits for the writer.
type op struct {
	run     func(context.Context, *sqlc.Queries) error
	done    <-chan struct{} // closed when the caller's context has ended
	claimed atomic.Bool     // by the writer to begin it, or by its caller to give it up
	answer  chan error      // holds one

	refused error // owned by the writer: what run refused with
}

// writer commits ops in groups: an fsync costs the same for one and for many.
type writer struct {
	db      *handle       // set at start
	gather  time.Duration // set at start
	log     *slog.Logger  // set at start
	queue   chan *op
	stopped chan struct{} // closed when run has ended
	failing bool          // owned by run: the database, and not an op, failed the last transaction

	// Held for reading while an op enters the queue, so that close comes after
	// it. Level 0: nothing is locked under it.
	mu     sync.RWMutex
	closed bool // guarded by mu

	commits, ops, failed, unknown, refused, skipped, retried atomic.Uint64
	batch                                                    atomic.Int64
}

func startWriter(db *handle, cfg Config) *writer {
	w := &writer{
		db:      db,
		gather:  cfg.Gather,
		log:     cfg.Log,
		queue:   make(chan *op, maxQueue),
		stopped: make(chan struct{}),
	}
	go w.run()
	return w
}

// close ends the writer when it has finished what is queued. It may be called
// more than once.
func (w *writer) close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
	w.mu.Unlock()
	<-w.stopped
}

// do has run done by the writer and gives the truth about it. When ctx ends
// first, an op that has not begun never will.
func (w *writer) do(ctx context.Context, run func(context.Context, *sqlc.Queries) error) error {
	o := &op{run: run, done: ctx.Done(), answer: make(chan error, 1)}
	if err := w.enter(ctx, o); err != nil {
		return err
	}
	select {
	case err := <-o.answer:
		return w.truth(ctx, err)
	case <-ctx.Done():
	}
	if o.claimed.CompareAndSwap(false, true) {
		w.skipped.Add(1)
		return ctx.Err()
	}
	return w.truth(ctx, <-o.answer)
}

// errSkipped answers an op whose context had ended when its turn came.
var errSkipped = errors.New("skipped")

func (w *writer) truth(ctx context.Context, answer error) error {
	if answer == errSkipped { //nolint:errorlint // it is this very value, never wrapped
		return ctx.Err()
	}
	return answer
}

// enter puts the op into the queue, waiting while it is full.
func (w *writer) enter(ctx context.Context, o *op) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return ErrClosed
	}
	select {
	case w.queue <- o:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *writer) run() {
	defer close(w.stopped)
	over, lull := time.NewTimer(w.gather), time.NewTimer(w.gather)
	defer over.Stop()
	defer lull.Stop()
	batch := make([]*op, 0, maxBatch)
	for first := range w.queue {
		over.Reset(w.gather)
		batch = w.collect(append(batch, first), over, lull)
		w.commit(w.claim(batch))
		clear(batch[:cap(batch)])
		batch = batch[:0]
	}
}

// collect adds what arrives until the time is over, nothing arrives for a part of
// it, or the batch is full.
func (w *writer) collect(batch []*op, over, lull *time.Timer) []*op {
	for len(batch) < maxBatch {
		lull.Reset(max(w.gather/lullOf, 1)) // a timer of 0 would be over before anything can arrive
		select {
		case o, open := <-w.queue:
			if !open {
				return batch
			}
			batch = append(batch, o)
		case <-lull.C:
			return batch
		case <-over.C:
			return batch
		}
	}
	return batch
}

// claim keeps the ops that are still wanted; from here on they are answered
// with what became of them.
func (w *writer) claim(batch []*op) []*op {
	kept := batch[:0]
	for _, o := range batch {
		if !o.claimed.CompareAndSwap(false, true) {
			continue
		}
		select {
		case <-o.done:
			w.skipped.Add(1)
			o.answer <- errSkipped
		default:
			kept = append(kept, o)
		}
	}
	return kept
}

// commit runs the ops in one transaction, or, if that fails, each in its own,
// and answers them.
func (w *writer) commit(batch []*op) {
	if len(batch) == 0 {
		return
	}
	is, err := w.persist(batch)
	if err == nil || len(batch) == 1 || is >= locked {
		w.settle(batch, err)
		return
	}
	for i := range batch {
		is, err := w.persist(batch[i : i+1])
		if err != nil && (is == locked || is == gone) { // it would be for each of the others
			w.settle(batch[i:], err)
			return
		}
		w.settle(batch[i:i+1], err)
	}
}

// persist has the ops committed in one transaction, trying again where that can
// help: after a clash, and when the connection was lost that has worked so far.
func (w *writer) persist(batch []*op) (is fate, err error) {
	start := time.Now()
	for try := range w.db.engine.retries + 1 {
		if try > 0 {
			w.retried.Add(1)
			time.Sleep(retryPause << (try - 1))
		}
		is, err = w.attempt(batch)
		again := is == clashed || is == gone && !w.failing
		if err == nil || !again || time.Since(start) > retryFor {
			break
		}
	}
	if err != nil && is == faulty {
		return is, err // which says nothing about the database
	}
	return is, w.report(err)
}

// attempt runs the ops in one transaction and commits it. With an error goes
// what has become of them.
func (w *writer) attempt(batch []*op) (fate, error) {
	ctx := context.Background() // once begun it runs to its end
	tx, err := w.db.db.BeginTx(ctx, w.db.engine.options)
	if err != nil {
		return max(w.db.engine.judge(err), locked), fmt.Errorf("begin: %w", err)
	}
	q := w.db.queries.WithTx(tx)
	for _, o := range batch {
		err := o.run(ctx, q)
		var r refusal
		switch {
		case err == nil:
			o.refused = nil
		case errors.As(err, &r):
			o.refused = r.error
		default:
			_ = tx.Rollback() // SQLite has done so itself after a full disk
			return w.db.engine.judge(err), err
		}
	}
	if err := tx.Commit(); err != nil {
		is := w.db.engine.commit(err)
		if is == unknown {
			err = fmt.Errorf("%w: %w", ErrUnknown, err)
		}
		return is, fmt.Errorf("commit: %w", err)
	}
	return 0, nil
}

// settle counts and answers ops that shared a transaction. An op's refusal
// counts only where the transaction, on whose view it rests, was committed.
func (w *writer) settle(batch []*op, err error) {
	if err != nil {
		w.failed.Add(uint64(len(batch)))
		if errors.Is(err, ErrUnknown) {
			w.unknown.Add(uint64(len(batch)))
		}
	} else {
		w.commits.Add(1)
		w.batch.Store(int64(len(batch)))
	}
	for _, o := range batch {
		answer := err
		if err == nil {
			w.ops.Add(1)
			if o.refused != nil {
				w.refused.Add(1)
				answer = o.refused
			}
		}
		o.answer <- answer
	}
}

// report logs when the database begins to fail and when it works again. What
// one op alone did wrong its caller hears.
func (w *writer) report(err error) error {
	switch {
	case err != nil && !w.failing:
		w.log.Error("writing to the store fails", "err", err)
	case err == nil && w.failing:
		w.log.Info("writing to the store works again")
	}
	w.failing = err != nil
	return err
}
