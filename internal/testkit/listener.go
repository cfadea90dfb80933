// Package testkit is what tests share: a whole server in the test's process, on
// a listener in memory or on loopback, and a client that speaks the official
// protocol through an independent WebSocket library. Tests alone import it.
package testkit

import (
	"context"
	"net"
	"sync"
)

// Listener accepts connections in memory, for tests in a bubble of fake time.
type Listener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

// NewListener makes a listener.
func NewListener() *Listener {
	return &Listener{conns: make(chan net.Conn), done: make(chan struct{})}
}

// Accept gives the server's end of the next connection.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close ends accepting.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr gives a name for the listener.
func (l *Listener) Addr() net.Addr { return memoryAddr{} }

// Dial gives the client's end of a new connection.
func (l *Listener) Dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- memoryConn{server}:
		return client, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// memoryConn is the server's end of a connection from loopback.
type memoryConn struct{ net.Conn }

// RemoteAddr gives the client's address.
func (memoryConn) RemoteAddr() net.Addr { return memoryAddr{} }

type memoryAddr struct{}

// Network gives the network's name.
func (memoryAddr) Network() string { return "memory" }

// String gives an address that looks like any other.
func (memoryAddr) String() string { return "127.0.0.1:0" }
