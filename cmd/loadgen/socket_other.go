//go:build !linux

package main

import (
	"errors"
	"net/netip"
	"time"
)

// Elsewhere than on Linux loadgen builds, so that the whole module does, and
// says that it cannot run.
var errNotLinux = errors.New("loadgen needs Linux: it waits with epoll and reads /proc")

type poller struct{}

type ready struct {
	key                int32
	readable, writable bool
}

func newPoller() (*poller, error)                              { return nil, errNotLinux }
func (p *poller) close() error                                 { return nil }
func (p *poller) add(_, _ int32) error                         { return errNotLinux }
func (p *poller) awaitWritable(_, _ int32) error               { return errNotLinux }
func (p *poller) quiet(_, _ int32) error                       { return errNotLinux }
func (p *poller) wait(time.Duration, []ready) ([]ready, error) { return nil, errNotLinux }
func dial(_ netip.Addr, _ netip.AddrPort) (int32, error)       { return 0, errNotLinux }
func connected(int32) error                                    { return errNotLinux }
func receive(int32, []byte) (int, error)                       { return 0, errNotLinux }
func send(int32, []byte) (int, error)                          { return 0, errNotLinux }
func hangUp(int32)                                             {}
func breakOff(int32)                                           {}
func monotonic() time.Duration                                 { return 0 }
func ownCPU() time.Duration                                    { return 0 }
func descriptorLimit() int                                     { return 1024 }
