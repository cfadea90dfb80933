package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// poller waits for many sockets at once: epoll, level-triggered. One goroutine
// uses it.
type poller struct {
	fd     int
	events []unix.EpollEvent
}

// ready is a socket on which something can be done; key is what it was added by.
type ready struct {
	key                int32
	readable, writable bool
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make an epoll: %w", err)
	}
	return &poller{fd: fd, events: make([]unix.EpollEvent, 128)}, nil
}

func (p *poller) close() error { return unix.Close(p.fd) }

// add begins to watch a socket; until it is quieted it reports writability too.
func (p *poller) add(fd, key int32) error {
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, int(fd), &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT, Fd: key})
}

// awaitWritable and quiet choose whether writability is reported.
func (p *poller) awaitWritable(fd, key int32) error {
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_MOD, int(fd), &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT, Fd: key})
}

func (p *poller) quiet(fd, key int32) error {
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_MOD, int(fd), &unix.EpollEvent{Events: unix.EPOLLIN, Fd: key})
}

// wait fills into with what is ready, for at most the timeout. Epoll itself waits
// for whole milliseconds, too coarse to send at a given time.
func (p *poller) wait(timeout time.Duration, into []ready) ([]ready, error) {
	into = into[:0]
	var err error
	if timeout > 0 && timeout < time.Millisecond {
		until := unix.NsecToTimespec(timeout.Nanoseconds())
		_, err = unix.Ppoll([]unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}, &until, nil)
		timeout = 0
	}
	n := 0
	if err == nil {
		n, err = unix.EpollWait(p.fd, p.events, int(max(timeout, 0).Milliseconds()))
	}
	if errors.Is(err, unix.EINTR) {
		return into, nil
	}
	if err != nil {
		return into, fmt.Errorf("wait for sockets: %w", err)
	}
	for _, e := range p.events[:n] {
		broken := e.Events&(unix.EPOLLERR|unix.EPOLLHUP) != 0
		into = append(into, ready{
			key:      e.Fd,
			readable: e.Events&unix.EPOLLIN != 0 || broken,
			writable: e.Events&unix.EPOLLOUT != 0 || broken,
		})
	}
	return into, nil
}

// dial begins a connection from source, if that is valid, and does not wait.
func dial(source netip.Addr, server netip.AddrPort) (int32, error) {
	family := unix.AF_INET
	if server.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("open a socket: %w", err)
	}
	err = connect(fd, source, server)
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		_ = unix.Close(fd) // the reason is already known
		return 0, fmt.Errorf("connect: %w", err)
	}
	return int32(fd), nil
}

func connect(fd int, source netip.Addr, server netip.AddrPort) error {
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return err
	}
	if source.IsValid() {
		// The port is chosen by connect, which needs only the pair of addresses to be unused.
		if err := unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
			return err
		}
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: source.As4()}); err != nil {
			return err
		}
	}
	if server.Addr().Is6() {
		return unix.Connect(fd, &unix.SockaddrInet6{Port: int(server.Port()), Addr: server.Addr().As16()})
	}
	return unix.Connect(fd, &unix.SockaddrInet4{Port: int(server.Port()), Addr: server.Addr().As4()})
}

// connected says how the connection turned out, once its socket is writable.
func connected(fd int32) error {
	code, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("connect: %w", unix.Errno(code))
	}
	return nil
}

// receive reads once; 0 bytes without an error are nothing to read, and io.EOF
// is the peer's end.
func receive(fd int32, into []byte) (int, error) {
	n, err := unix.Read(int(fd), into)
	switch {
	case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
		return 0, nil
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// send writes once and says how much the socket took.
func send(fd int32, b []byte) (int, error) {
	n, err := unix.Write(int(fd), b)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return 0, nil
	}
	return max(n, 0), err
}

func hangUp(fd int32) { _ = unix.Close(int(fd)) } // nothing can be done about it

// breakOff closes a connection by a reset, as when its machine has gone.
func breakOff(fd int32) {
	_ = unix.SetsockoptLinger(int(fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}) // else it is closed as usual
	hangUp(fd)
}

// monotonic is a clock that all processes of the machine share.
func monotonic() time.Duration {
	var at unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &at) != nil {
		return 0
	}
	return time.Duration(at.Nano())
}

// ownCPU is the processor time that this process has used.
func ownCPU() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// descriptorLimit is how many descriptors this process may hold.
func descriptorLimit() int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 1024
	}
	return int(min(limit.Cur, 1<<30))
}
