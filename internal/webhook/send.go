package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// What became of a request, for the log, the metrics and the operator.
const (
	sentOK        = "ok"
	sentTimeout   = "timeout"
	sentForbidden = "forbidden_address"
	sentDNS       = "dns"
	sentConnect   = "connect"
	sentTLS       = "tls"
	sentRedirect  = "redirect"
	sentStatus    = "status"
	sentTooLarge  = "too_large"
	sentNotJSON   = "not_json"
	sentEnvelope  = "wrong_envelope"
	sentBreaker   = "breaker" // not sent: too many failed before
	sentBusy      = "busy"    // not sent: too many wait for an answer
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 10

// answer is what a receiver said.
type answer struct {
	Status string `json:"ActionStatus"`
	Code   *int   `json:"ErrorCode"`
	Info   string `json:"ErrorInfo"`
	Items  []struct {
		User string `json:"To_Account"`
		Code int    `json:"ResultCode"`
		Info string `json:"ResultInfo"`
	} `json:"ResultItem"`
}

// request is one request to be sent.
type request struct {
	app     im.AppID
	url     string
	command string
	id      string // of the event, the same in a repeat
	version string // "" for none
	addr    string
	device  string
	token   string
	sign    bool // the body too
	test    bool
	body    []byte
}

// result is what became of it.
type result struct {
	outcome string
	detail  string // for people; never a secret
	status  int    // HTTP, 0 for no answer
	took    time.Duration
	answer  answer // where outcome is ok
}

// newClient makes a client for one URL. It follows no redirect, knows no proxy
// and reaches no address that it must not.
func newClient(allow Nets, resolver *net.Resolver, timeout time.Duration) *http.Client {
	dialer := net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second, Resolver: resolver, Control: allow.control}
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSHandshakeTimeout:    timeout,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			MaxConnsPerHost:        2 * maxInFlight, // events and questions
			MaxIdleConnsPerHost:    maxInFlight,
			IdleConnTimeout:        90 * time.Second,
			MaxResponseHeaderBytes: 16 << 10,
			DisableCompression:     true, // so that the limit on an answer is one on what it costs
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// address gives the URL of a request, with all that goes into its query.
func (r *request) address(now time.Time) string {
	var b strings.Builder
	b.WriteString(r.url)
	sep := byte('?')
	if strings.Contains(r.url, "?") {
		sep = '&'
	}
	add := func(name, value string) {
		b.WriteByte(sep)
		b.WriteString(name + "=" + url.QueryEscape(value))
		sep = '&'
	}
	add("SdkAppid", r.app.String())
	add("CallbackCommand", r.command)
	add("contenttype", "json")
	add("ClientIP", r.addr)
	add("OptPlatform", r.device)
	if r.token != "" {
		add("Sign", sign(r.token, now))
		add("RequestTime", strconv.FormatInt(now.Unix(), 10))
	}
	return b.String()
}

// send sends a request and reads the answer. It takes no longer than ctx.
func send(ctx context.Context, client *http.Client, r *request) (res result) {
	began := time.Now()
	defer func() { res.took = time.Since(began) }()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.address(began), bytes.NewReader(r.body))
	if err != nil {
		return failure(err)
	}
	h := req.Header
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "Porchlight")
	h.Set("X-Event-Id", r.id)
	h.Set("X-Event-Time", strconv.FormatInt(began.Unix(), 10))
	if r.version != "" {
		h.Set("X-Event-Version", r.version)
	}
	if r.sign && r.token != "" {
		h.Set("X-Body-Sign", signBody(r.token, r.id, began, r.body))
	}
	if r.test {
		h.Set("X-Event-Test", "1")
	}
	resp, err := client.Do(req)
	if err != nil {
		return failure(err)
	}
	defer func() { _ = resp.Body.Close() }() // read, or given up
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	res = judge(resp, text)
	if err != nil {
		res = failure(err)
	}
	res.status = resp.StatusCode
	return res
}

// judge says what an answer that was read means.
func judge(resp *http.Response, text []byte) result {
	switch {
	case len(text) > maxAnswer:
		return result{outcome: sentTooLarge, detail: fmt.Sprintf("the answer has over %d bytes", maxAnswer)}
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return result{outcome: sentRedirect, detail: fmt.Sprintf("answered with status %d: redirects are not followed", resp.StatusCode)}
	case resp.StatusCode != http.StatusOK:
		return result{outcome: sentStatus, detail: fmt.Sprintf("answered with status %d, not 200", resp.StatusCode)}
	}
	var a answer
	var kind *json.UnmarshalTypeError
	switch err := json.Unmarshal(text, &a); {
	case errors.As(err, &kind):
		return result{outcome: sentEnvelope, detail: "the answer has no ActionStatus and ErrorCode of the right kind"}
	case err != nil:
		return result{outcome: sentNotJSON, detail: "the answer is not JSON"}
	case a.Status != "OK" && a.Status != "FAIL" || a.Code == nil:
		return result{outcome: sentEnvelope, detail: `the answer is not {"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":""}`}
	}
	res := result{outcome: sentOK, answer: a}
	if a.Status == "FAIL" || *a.Code != 0 {
		res.detail = fmt.Sprintf("the receiver says %s %d", a.Status, *a.Code)
	}
	return res
}

// failure says what an error of a request means. The URL, which holds the
// signature, is not in it.
func failure(err error) result {
	var in *url.Error
	if errors.As(err, &in) {
		err = in.Err
	}
	var (
		refused *refusedError
		dns     *net.DNSError
		timeout interface{ Timeout() bool }
		dial    *net.OpError
	)
	switch {
	case errors.As(err, &refused):
		return result{outcome: sentForbidden, detail: refused.Error()}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return result{outcome: sentTimeout, detail: "no whole answer in time"}
	case errors.As(err, &dns):
		return result{outcome: sentDNS, detail: "look up " + dns.Name + ": " + dns.Err}
	case isTLS(err):
		return result{outcome: sentTLS, detail: err.Error()}
	case errors.As(err, &dial) && dial.Op == "dial":
		return result{outcome: sentConnect, detail: err.Error()}
	}
	return result{outcome: sentConnect, detail: "the connection broke: " + err.Error()}
}

func isTLS(err error) bool {
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var cert *tls.CertificateVerificationError
	return errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, &record) ||
		errors.As(err, &alert) || errors.As(err, &cert) || strings.HasPrefix(err.Error(), "tls: ")
}
