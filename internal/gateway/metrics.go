package gateway

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts what the gateway does. No label ever holds what a client made
// up, and none a user.
type metrics struct {
	frames, unserved, logouts, panics, pushed         prometheus.Counter
	logins, returns, commands, failures, bad, dropped *prometheus.CounterVec
	refused, limited, closed, told                    *prometheus.CounterVec
	conflated                                         atomic.Int64 // counted under stripes
}

func newMetrics(r prometheus.Registerer, g *Gateway) *metrics {
	if r == nil {
		r = prometheus.NewRegistry()
	}
	m := &metrics{}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "porchlight_" + name, Help: help})
		r.MustRegister(c)
		return c
	}
	vec := func(name, label, help string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "porchlight_" + name, Help: help}, []string{label})
		r.MustRegister(c)
		return c
	}
	m.frames = counter("frames_total", "Good frames that clients sent.")
	m.unserved = counter("commands_unserved_total", "Commands that this server does not serve.")
	m.logouts = counter("logouts_total", "Logouts that were carried out, repeats too.")
	m.panics = counter("connection_panics_total", "Connections that a mistake of the server ended.")
	m.pushed = counter("statuses_pushed_total", "Statuses of others written to connections.")
	m.logins = vec("logins_total", "code", "Logins by UserSig, by result: ok or the code of the refusal.")
	m.returns = vec("returns_total", "result", "Returns of sessions on a new socket: ok, over, kicked, error.")
	m.commands = vec("commands_total", "command", "Commands that were carried out.")
	m.failures = vec("failures_total", "code", "Commands that were refused, by code.")
	m.bad = vec("bad_input_total", "kind", "Input that ended its connection: protocol, frame, utf8, oversized.")
	m.dropped = vec("dropped_total", "reason",
		"Connections dropped: slow, write, silence, prelogin, prelogin_address, prelogin_sockets, commands.")
	m.refused = vec("refused_total", "reason", "Handshakes refused: origin, sockets, handshake.")
	m.limited = vec("limited_total", "limit", "Commands over a limit: connection, calls, verifications, verifications_peer, logins.")
	m.closed = vec("closed_total", "cause", "Connections that ended, by cause.")
	m.told = vec("pushes_total", "about", "Pushes about profiles and friends, queued for connections.")
	m.watch(r, g)
	return m
}

// watch exposes the figures that are kept elsewhere.
func (m *metrics) watch(r prometheus.Registerer, g *Gateway) {
	counter := func(name, help string, f func() int) {
		r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "porchlight_" + name, Help: help},
			func() float64 { return float64(f()) }))
	}
	gauge := func(name, help string, f func() int) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "porchlight_" + name, Help: help},
			func() float64 { return float64(f()) }))
	}
	counter("conflated_total", "Notices dropped because a newer one about the same user came first.",
		func() int { return int(m.conflated.Load()) })
	counter("limit_evictions_total", "Counts for limits that were given up because there were too many.",
		func() int { return int(g.counts.evicted.Load()) })
	gauge("connections", "Open sockets, logged in or not.", g.Connections)
	gauge("sessions", "Sessions with a socket.", g.memory.count)
	gauge("prelogin_sockets", "Open sockets without a session.", g.lobby.sockets)
	gauge("prelogin_addresses", "Addresses of open sockets without a session.", g.lobby.addresses)
	gauge("limit_counts", "Counts kept for limits on logins.", g.counts.size)
}
