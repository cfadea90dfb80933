package testkit

import (
	"context"
	"net"
	"net/url"
	"sync"
	"testing"
)

// Proxy stands between a store and its PostgreSQL server and does to their
// connections what networks do.
type Proxy struct {
	network, target string
	listener        net.Listener
	pumps           sync.WaitGroup

	mu    sync.Mutex
	down  bool
	still chan struct{} // closed while bytes flow
	ends  map[net.Conn]bool
	hook  func(toServer []byte) Fault
}

// Fault is what becomes of what a client sent.
type Fault int

// What a proxy can do with bytes for the server.
const (
	Pass     Fault = iota
	Lose           // the connection breaks before they arrive
	LoseBack       // they arrive, and the connection breaks before the answer does
)

// NewProxy gives a proxy to the server of an address, and the address that leads
// through it.
func NewProxy(t testing.TB, dsn string) (p *Proxy, through string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	p = &Proxy{network: "tcp", target: u.Host, ends: make(map[net.Conn]bool), still: make(chan struct{})}
	close(p.still)
	if dir := query.Get("host"); dir != "" {
		p.network, p.target = "unix", dir+"/.s.PGSQL.5432"
		query.Del("host")
		query.Set("sslmode", "disable")
	}
	var lc net.ListenConfig
	if p.listener, err = lc.Listen(context.Background(), "tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	p.pumps.Go(p.accept)
	t.Cleanup(func() {
		_ = p.listener.Close() // ends accept
		p.Flow()
		p.Cut()
		p.pumps.Wait()
	})
	u.Host, u.RawQuery = p.listener.Addr().String(), query.Encode()
	return p, u.String()
}

// Cut breaks all connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.ends {
		_ = c.Close() // its pump sees it
	}
}

// Down cuts, and breaks every new connection until Up.
func (p *Proxy) Down() {
	p.mu.Lock()
	p.down = true
	p.mu.Unlock()
	p.Cut()
}

// Up ends Down.
func (p *Proxy) Up() {
	p.mu.Lock()
	p.down = false
	p.mu.Unlock()
}

// Stall lets no byte through, and breaks nothing, until Flow.
func (p *Proxy) Stall() {
	p.mu.Lock()
	p.still = make(chan struct{})
	p.mu.Unlock()
}

// Flow ends Stall.
func (p *Proxy) Flow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.still:
	default:
		close(p.still)
	}
}

// Each has hook judge all that clients send from now on, nil for nothing.
func (p *Proxy) Each(hook func(toServer []byte) Fault) {
	p.mu.Lock()
	p.hook = hook
	p.mu.Unlock()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.pumps.Go(func() { p.serve(client) })
	}
}

// serve carries one connection, both ways.
func (p *Proxy) serve(client net.Conn) {
	defer func() { _ = client.Close() }() // a second time does no harm
	var d net.Dialer
	server, err := d.DialContext(context.Background(), p.network, p.target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	if !p.enter(client, server) {
		return
	}
	defer p.leave(client, server)
	var back sync.WaitGroup
	deaf := make(chan struct{})
	back.Go(func() { p.pump(client, server, func([]byte) Fault { return silent(deaf) }) })
	p.pump(server, client, func(text []byte) Fault {
		p.mu.Lock()
		hook := p.hook
		p.mu.Unlock()
		if hook == nil {
			return Pass
		}
		fault := hook(text)
		if fault == LoseBack {
			close(deaf)
		}
		return fault
	})
	back.Wait()
}

// silent says to lose an answer once the client is deaf.
func silent(deaf chan struct{}) Fault {
	select {
	case <-deaf:
		return Lose
	default:
		return Pass
	}
}

func (p *Proxy) enter(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.ends[c] = true
	}
	return !p.down
}

func (p *Proxy) leave(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.ends, c)
	}
}

// pump carries bytes until either end breaks, and then breaks both.
func (p *Proxy) pump(to, from net.Conn, judge func([]byte) Fault) {
	defer func() { _ = to.Close() }()
	defer func() { _ = from.Close() }()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		still := p.still
		p.mu.Unlock()
		<-still
		if n == 0 || err != nil || judge(buf[:n]) == Lose {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
