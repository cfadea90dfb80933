package webhook

import (
	"github.com/prometheus/client_golang/prometheus"
)

// metrics count what became of requests and events, never by application or
// user.
type metrics struct {
	requests  *prometheus.CounterVec
	questions *prometheus.CounterVec
	dropped   *prometheus.CounterVec
	seconds   prometheus.Histogram
}

func newMetrics(r prometheus.Registerer, d *Dispatcher) *metrics {
	if r == nil {
		r = prometheus.NewRegistry()
	}
	vec := func(name, label, help string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "porchlight_webhook_" + name, Help: help}, []string{label})
		r.MustRegister(v)
		return v
	}
	m := &metrics{
		requests: vec("requests_total", "outcome", "Requests with events to applications' back ends: ok, or what was wrong."),
		questions: vec("questions_total", "outcome",
			"Questions to applications' back ends about what they may refuse: ok, or what was wrong."),
		dropped: vec("dropped_total", "reason", "Events given up: failed, refused, queue, retention, end."),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "porchlight_webhook_seconds", Help: "How long requests to applications' back ends took.",
			Buckets: []float64{0.001, 0.005, 0.02, 0.1, 0.5, 2},
		}),
	}
	r.MustRegister(m.seconds)
	gauge := func(name, help string, f func(s *sums) float64) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "porchlight_webhook_" + name, Help: help},
			func() float64 { return f(d.sums()) }))
	}
	gauge("waiting", "Events that wait to be delivered, one for each URL.", func(s *sums) float64 { return float64(s.waiting) })
	gauge("paused", "URLs that are left alone after failures.", func(s *sums) float64 { return float64(s.paused) })
	gauge("in_flight", "Requests with events that wait for an answer.", func(s *sums) float64 { return float64(s.inflight) })
	return m
}

func (m *metrics) observe(res result) {
	m.requests.WithLabelValues(res.outcome).Inc()
	m.seconds.Observe(res.took.Seconds())
}

type sums struct {
	waiting          int64
	paused, inflight int
}

func (d *Dispatcher) sums() *sums {
	var s sums
	for _, t := range *d.tenants.Load() {
		for _, ep := range *t.endpoints.Load() {
			state := ep.state()
			s.waiting += state.Waiting
			s.inflight += state.InFlight
			if state.PausedFor > 0 {
				s.paused++
			}
		}
	}
	return &s
}
