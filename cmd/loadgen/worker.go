package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"sync"
	"time"
)

// workerArgument makes the command a worker: it reads its job and then phases as
// JSON from standard input, and writes a tally for each to standard output.
const workerArgument = "-worker"

// maxDescriptors is how many descriptors a process is trusted with, whatever its
// limit says; spareDescriptors of them are not sessions.
const (
	maxDescriptors   = 20_000
	spareDescriptors = 200
)

// sessionsPerProcess is how many sessions one process may hold.
func sessionsPerProcess() int {
	return max(1, min(descriptorLimit(), maxDescriptors)-spareDescriptors)
}

// work is a worker's whole life. It ends with its input, so with whoever started
// it. It leaves the goroutine that reads the input to end with that as well.
func work(ctx context.Context, in io.Reader, out io.Writer) error {
	orders := json.NewDecoder(in)
	var j job
	if err := orders.Decode(&j); err != nil {
		return fmt.Errorf("read the job: %w", err)
	}
	w, err := newSwarm(j)
	if err != nil {
		return err
	}
	phases := make(chan phase)
	go func() {
		defer close(phases)
		for {
			var p phase
			if orders.Decode(&p) != nil {
				return
			}
			select {
			case phases <- p:
			case <-ctx.Done():
				return
			}
		}
	}()
	reports := json.NewEncoder(out)
	return w.serve(ctx, phases, func(t *tally) error { return reports.Encode(t) })
}

// worker is one that was started, in this process or another.
type worker struct {
	orders  io.WriteCloser
	encode  *json.Encoder
	reports *json.Decoder
	wait    func() error // after orders was closed
}

func newWorker(orders io.WriteCloser, reports io.Reader, wait func() error) *worker {
	return &worker{orders: orders, encode: json.NewEncoder(orders), reports: json.NewDecoder(reports), wait: wait}
}

// startLocal starts a worker in this process.
func startLocal(ctx context.Context) *worker {
	ordersIn, ordersOut := io.Pipe()
	reportsIn, reportsOut := io.Pipe()
	var wg sync.WaitGroup
	var err error
	wg.Go(func() {
		err = work(ctx, ordersIn, reportsOut)
		reportsOut.CloseWithError(err)
		ordersIn.CloseWithError(err)
	})
	return newWorker(ordersOut, reportsIn, func() error {
		_ = reportsIn.Close() // nobody reads on
		wg.Wait()
		return err
	})
}

// startProcess starts a worker as a process of its own, which complains where
// this one does.
func startProcess(ctx context.Context) (*worker, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, workerArgument) //nolint:gosec // itself
	cmd.Stderr = os.Stderr
	orders, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	reports, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	return newWorker(orders, reports, cmd.Wait), nil
}

// crew is all workers of a run.
type crew struct {
	workers []*worker
	clock   clock
}

// hire starts the workers that a configuration needs and hands each its job.
func hire(ctx context.Context, cfg config) (*crew, error) {
	var seed [8]byte
	_, _ = rand.Read(seed[:]) // never fails
	jobs := split(cfg, binary.BigEndian.Uint64(seed[:]))
	c := &crew{clock: newClock(jobs[0].Zero)}
	for _, j := range jobs {
		w, err := start(ctx, len(jobs))
		if err == nil {
			c.workers = append(c.workers, w)
			err = w.encode.Encode(j)
		}
		if err != nil {
			return nil, errors.Join(err, c.dismiss())
		}
	}
	return c, nil
}

// start starts one of so many workers: the only one needs no process of its own.
func start(ctx context.Context, of int) (*worker, error) {
	if of == 1 {
		return startLocal(ctx), nil
	}
	return startProcess(ctx)
}

// split divides a run among processes, as evenly as it goes. Each process but the
// first starts from a loopback address of its own, since one address has no more
// than some 28,000 ports towards one server.
func split(cfg config, run uint64) []job {
	parts := (cfg.Sessions + cfg.PerProc - 1) / cfg.PerProc
	jobs := make([]job, parts)
	first, zero := 0, monotonic()
	for i := range jobs {
		j := &jobs[i]
		*j = job{Config: cfg, Run: run, Zero: zero, First: first, Count: cfg.Sessions / parts, Rate: cfg.Rate / float64(parts)}
		if i < cfg.Sessions%parts {
			j.Count++
		}
		first += j.Count
		j.InFlight = max(1, cfg.InFlight/parts)
		if i > 0 && cfg.Server.Addr().Is4() {
			j.Source = netip.AddrFrom4([4]byte{127, 0, byte(i >> 8), byte(i + 1)})
		}
	}
	return jobs
}

// lead is how long before its start workers in processes of their own are told
// of a phase, so that they begin at the same moment and none takes for a fault
// what another one's sessions do.
const lead = 200 * time.Millisecond

// check has every worker compare what its sessions know with what was
// acknowledged in the phase before.
func (c *crew) check(t *tally) (*tally, error) {
	return c.do(phase{Name: phaseCheck, Expect: t.Acked})
}

// do has every worker carry out a phase and merges what they counted.
func (c *crew) do(p phase) (*tally, error) {
	if len(c.workers) > 1 && p.Name != phasePrepare {
		p.Start = c.clock.now() + lead
	}
	for _, w := range c.workers {
		if err := w.encode.Encode(p); err != nil {
			return nil, fmt.Errorf("order %s: %w", p.Name, err)
		}
	}
	sum := newTally()
	for _, w := range c.workers {
		var t tally
		if err := w.reports.Decode(&t); err != nil {
			return nil, fmt.Errorf("a worker broke off in %s: %w", p.Name, err)
		}
		sum.merge(&t)
	}
	return sum, nil
}

// dismiss ends the workers and waits for them.
func (c *crew) dismiss() error {
	var errs []error
	for _, w := range c.workers {
		errs = append(errs, w.dismiss())
	}
	return errors.Join(errs...)
}

func (w *worker) dismiss() error {
	_ = w.orders.Close() // a worker that is gone already is as good
	return w.wait()
}
