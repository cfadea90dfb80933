package rest

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/porchlight-im/porchlight/internal/im"
)

// metrics counts what is asked and what is answered. A command is one of the
// table's or "other"; no label ever holds what a caller made up.
type metrics struct {
	requests *prometheus.CounterVec
	took     *prometheus.HistogramVec
	panics   prometheus.Counter
}

func newMetrics(r prometheus.Registerer, a *API) *metrics {
	if r == nil {
		r = prometheus.NewRegistry()
	}
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "porchlight_rest_requests_total",
			Help: "Requests to the REST API, by command and code; one that the original does not have is other.",
		}, []string{"command", "code"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "porchlight_rest_seconds", Help: "From a request's header to its answer, by command that is served here.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .5, 1, 3},
		}, []string{"command"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "porchlight_rest_panics_total", Help: "Requests to the REST API that met a mistake of the server.",
		}),
	}
	remembered := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "porchlight_rest_verified", Help: "UserSigs of REST callers that are remembered as good.",
	}, func() float64 { return float64(a.checked.size()) })
	r.MustRegister(m.requests, m.took, m.panics, remembered)
	return m
}

func (m *metrics) served(k *call, code im.Code, took time.Duration) {
	m.requests.WithLabelValues(k.command, code.String()).Inc()
	if k.route != nil {
		m.took.WithLabelValues(k.command).Observe(took.Seconds())
	}
}
