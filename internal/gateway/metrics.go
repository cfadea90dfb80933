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
	refused, limited, closed                          *prometheus.CounterVec
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
	m.dropped = vec("dropped_total", "reason", "Connections dropped: slow, write, silence, prelogin.")
	m.refused = vec("refused_total", "reason", "Handshakes refused: origin, sockets, handshake.")
	m.limited = vec("limited_total", "limit", "Commands over a limit: connection, calls.")
	m.closed = vec("closed_total", "cause", "Connections that ended, by cause.")
	r.MustRegister(
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "porchlight_conflated_total", Help: "Notices dropped because a newer one about the same user came first.",
		}, func() float64 { return float64(m.conflated.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "porchlight_connections", Help: "Open sockets, logged in or not.",
		}, func() float64 { return float64(g.hub.count.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "porchlight_sessions", Help: "Sessions with a socket.",
		}, func() float64 { return float64(g.memory.count()) }),
	)
	return m
}
