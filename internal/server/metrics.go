package server

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/porchlight-im/porchlight/internal/status"
	"github.com/porchlight-im/porchlight/internal/store"
)

// register exposes the figures of the parts that know nothing of metrics.
func register(r prometheus.Registerer, version string, e *status.Engine, s *store.Store) {
	gauge := func(name, help string, f func() float64) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "porchlight_" + name, Help: help}, f))
	}
	counter := func(name, help string, f func() float64) {
		r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "porchlight_" + name, Help: help}, f))
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "porchlight_build_info", Help: "1, labelled by the version.", ConstLabels: prometheus.Labels{"version": version},
	})
	info.Set(1)
	r.MustRegister(info)
	counter("status_changes_total", "Statuses that changed.", func() float64 { return float64(e.Stats().Changes) })
	counter("deliveries_total", "Notices handed to connections about others.", func() float64 { return float64(e.Stats().Deliveries) })
	counter("own_deliveries_total", "Notices handed to connections about their own user.", func() float64 { return float64(e.Stats().Own) })
	counter("unsaved_total", "Times that ends of sessions could not be written and were kept for later.",
		func() float64 { return float64(e.Stats().Unsaved) })
	counter("webhook_unsaved_total", "Events for back ends given up, as they could not be written for long.",
		func() float64 { return float64(e.Stats().Untold) })
	gauge("users", "Users in memory.", func() float64 { return float64(e.Stats().Users) })
	gauge("watches", "Pairs of a watched user and a watching account.", func() float64 { return float64(e.Stats().Watches) })
	gauge("accounts", "Accounts with a connection, or being served.", func() float64 { return float64(e.Stats().Accounts) })
	counter("store_commits_total", "Transactions committed.", func() float64 { return float64(s.Stats().Commits) })
	counter("store_ops_total", "Writes committed with them.", func() float64 { return float64(s.Stats().Ops) })
	counter("store_failed_total", "Writes that failed.", func() float64 { return float64(s.Stats().Failed) })
	counter("store_unknown_total", "Writes that failed and may have been committed nevertheless: the database was lost meanwhile.",
		func() float64 { return float64(s.Stats().Unknown) })
	counter("store_retries_total", "Transactions tried again, for a clash with another or a lost connection.",
		func() float64 { return float64(s.Stats().Retried) })
	gauge("store_queue", "Writes waiting for the next commit.", func() float64 { return float64(s.Stats().Queue) })
}
