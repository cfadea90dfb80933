package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/porchlight-im/porchlight/internal/usersig"
)

// administrator is who calls the REST API: the application of -dev has that one.
const administrator = "administrator"

// restReport is the outcome of a run against the REST API.
type restReport struct {
	Settings  string           `json:"settings"`
	Server    string           `json:"server"`
	Command   string           `json:"command"`
	Accounts  int              `json:"accounts"`    // there are to ask for
	Asked     int              `json:"asked"`       // in each request
	Conns     int              `json:"connections"` // kept alive
	Requests  int64            `json:"requests"`
	Seconds   float64          `json:"seconds"`
	PerSecond float64          `json:"perSecond"`
	Took      latency          `json:"took"`           // from when a request was due, or sent where none is
	Codes     map[string]int64 `json:"codes"`          // answers by ErrorCode
	ServerCPU float64          `json:"serverCPUMicro"` // for each request; 0 without -pid
	Good      bool             `json:"good"`           // every answer was OK
}

// rest carries out a run against the REST API: it imports the accounts, and then
// asks for some of them over and over, on connections that are kept alive.
func rest(ctx context.Context, cfg config, progress io.Writer) (*restReport, error) {
	sig, err := usersig.Mint(cfg.App, administrator, cfg.Secret, time.Now(), 24*time.Hour)
	if err != nil {
		return nil, err
	}
	query := fmt.Sprintf("?sdkappid=%d&identifier=%s&usersig=%s&random=1&contenttype=json", cfg.App, administrator, sig)
	load := &restLoad{cfg: cfg, query: query}
	_, _ = fmt.Fprintf(progress, "loadgen: importing %d accounts\n", cfg.Sessions) // for people, while they wait
	if err := load.importAll(ctx); err != nil {
		return nil, err
	}
	before, err := sampleServer(cfg.PID, "before")
	if err != nil {
		return nil, err
	}
	total, took := load.run(ctx)
	after, err := sampleServer(cfg.PID, "after")
	if err != nil {
		return nil, err
	}
	rep := &restReport{
		Settings: cfg.Settings, Server: "http://" + cfg.Server.String(), Command: cfg.REST, Accounts: cfg.Sessions, Asked: cfg.Asked,
		Conns: cfg.InFlight, Requests: total.took.total(), Seconds: took.Seconds(), Took: latencyOf(&total.took), Codes: total.codes,
	}
	rep.PerSecond = float64(rep.Requests) / rep.Seconds
	rep.Good = total.err == nil && rep.Requests > 0 && total.codes["0"] == rep.Requests
	if cfg.PID != 0 && rep.Requests > 0 {
		rep.ServerCPU = float64((after.CPU - before.CPU).Microseconds()) / float64(rep.Requests)
	}
	return rep, total.err
}

// restLoad is what the callers have in common.
type restLoad struct {
	cfg   config
	query string
}

// caller is one connection that is kept alive.
type caller struct {
	conn  net.Conn
	in    *bufio.Reader
	head  []byte // of every request, up to the length of its body
	out   []byte
	body  []byte
	took  histogram
	codes map[string]int64
	err   error
}

func (l *restLoad) dial(ctx context.Context, command string) (*caller, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", l.cfg.Server.String())
	if err != nil {
		return nil, err
	}
	head := "POST /v4/" + command + l.query + " HTTP/1.1\r\nHost: " + l.cfg.Server.String() +
		"\r\nContent-Type: application/json\r\nContent-Length: "
	return &caller{conn: conn, in: bufio.NewReaderSize(conn, 64<<10), head: []byte(head), codes: map[string]int64{}}, nil
}

// importAll makes the accounts, a hundred at a time.
func (l *restLoad) importAll(ctx context.Context) error {
	const batch = 100
	c, err := l.dial(ctx, "im_open_login_svc/multiaccount_import")
	if err != nil {
		return err
	}
	defer func() { _ = c.conn.Close() }() // nothing is left to send
	for at := 0; at < l.cfg.Sessions; at += batch {
		if err := ctx.Err(); err != nil {
			return err
		}
		body := l.names([]byte(`{"Accounts":[`), at, min(batch, l.cfg.Sessions-at))
		if err := c.ask(append(body, "]}"...)); err != nil {
			return fmt.Errorf("import accounts: %w", err)
		}
	}
	if n := c.codes["0"]; n != int64((l.cfg.Sessions+batch-1)/batch) {
		return fmt.Errorf("import accounts: the server answers %v", c.codes)
	}
	return nil
}

// names appends the names of n accounts from a number on, round the clock.
func (l *restLoad) names(dst []byte, at, n int) []byte {
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = append(dst, l.cfg.user((at+i)%l.cfg.Sessions)...)
		dst = append(dst, '"')
	}
	return dst
}

// run has every caller ask until the time is over.
func (l *restLoad) run(ctx context.Context) (*caller, time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.For)
	defer cancel()
	began := time.Now()
	callers := make([]*caller, l.cfg.InFlight)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() { callers[i] = l.call(ctx, i) })
	}
	wg.Wait()
	total := &caller{codes: map[string]int64{}}
	for _, c := range callers {
		total.took.merge(&c.took)
		for code, n := range c.codes {
			total.codes[code] += n
		}
		total.err = errors.Join(total.err, c.err)
	}
	return total, time.Since(began)
}

// call asks over and over, as fast as it is answered or at its part of the rate.
func (l *restLoad) call(ctx context.Context, number int) *caller {
	c, err := l.dial(ctx, l.cfg.REST)
	if err != nil {
		return &caller{err: err}
	}
	defer func() { _ = c.conn.Close() }() // nothing is left to send
	stop := context.AfterFunc(ctx, func() { _ = c.conn.SetReadDeadline(time.Now().Add(l.cfg.Timeout)) })
	defer stop()
	var each time.Duration
	if l.cfg.Rate > 0 {
		each = time.Duration(float64(l.cfg.InFlight) / l.cfg.Rate * float64(time.Second))
	}
	due := time.Now().Add(each * time.Duration(number) / time.Duration(l.cfg.InFlight))
	body := []byte(nil)
	for i := 0; ctx.Err() == nil; i++ {
		at := (i*l.cfg.InFlight + number) * l.cfg.Asked % l.cfg.Sessions
		if each == 0 {
			due = time.Now()
		} else if !sleepUntil(ctx, due) {
			break
		}
		body = append(l.names(append(body[:0], l.opening()...), at, l.cfg.Asked), l.closing()...)
		if c.err = c.ask(body); c.err != nil {
			break
		}
		c.took.add(time.Since(due))
		due = due.Add(each)
	}
	return c
}

func sleepUntil(ctx context.Context, due time.Time) bool {
	wait := time.NewTimer(time.Until(due))
	defer wait.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-wait.C:
		return true
	}
}

// opening and closing stand around the names in the body of a request.
func (l *restLoad) opening() string {
	if l.cfg.REST == restCheck {
		return `{"CheckItem":[{"UserID":`
	}
	return `{"To_Account":[`
}

func (l *restLoad) closing() string {
	if l.cfg.REST == restCheck {
		return `}]}`
	}
	return `]}`
}

// The commands that can be asked.
const (
	restQuery = "openim/query_online_status"
	restCheck = "im_open_login_svc/account_check" // of one account
)

// ask sends a request and reads its answer, whose code it counts.
func (c *caller) ask(body []byte) error {
	c.out = append(c.out[:0], c.head...)
	c.out = strconv.AppendInt(c.out, int64(len(body)), 10)
	c.out = append(append(c.out, "\r\n\r\n"...), body...)
	if _, err := c.conn.Write(c.out); err != nil {
		return err
	}
	length, err := c.readHead()
	if err != nil {
		return fmt.Errorf("read an answer: %w", err)
	}
	if cap(c.body) < length {
		c.body = make([]byte, length)
	}
	c.body = c.body[:length]
	if _, err := io.ReadFull(c.in, c.body); err != nil {
		return fmt.Errorf("read an answer: %w", err)
	}
	c.codes[codeOf(c.body)]++
	return nil
}

// readHead reads the head of an answer and gives the length of its body.
func (c *caller) readHead() (length int, err error) {
	length = -1
	for first := true; ; first = false {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")):
			return 0, fmt.Errorf("it begins %q", line)
		case len(line) == 0 && length < 0:
			return 0, errors.New("it does not say its length")
		case len(line) == 0:
			return length, nil
		}
		if text, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(text)); err != nil {
				return 0, err
			}
		}
	}
}

// codeOf gives the ErrorCode of an answer, "?" where there is none.
func codeOf(answer []byte) string {
	_, rest, ok := bytes.Cut(answer, []byte(`"ErrorCode":`))
	if !ok {
		return "?"
	}
	code, _, _ := bytes.Cut(rest, []byte(","))
	return string(code)
}

// checkREST refuses what makes no sense of a run against the REST API.
func (c *config) checkREST() error {
	switch {
	case c.REST != restQuery && c.REST != restCheck:
		return fmt.Errorf("-rest is %s or %s", restQuery, restCheck)
	case c.Asked < 1 || c.Asked > 500 || c.REST == restCheck && c.Asked != 1:
		return errors.New("-accounts is from 1 to 500, and 1 for account_check")
	case c.InFlight > 1000:
		return errors.New("-inflight is at most 1000 with -rest")
	case c.For <= 0:
		return errors.New("-rest takes a time with -for")
	}
	return nil
}

func (r *restReport) writeJSON(out io.Writer) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

func (r *restReport) writeText(out io.Writer) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%s of %d of %d accounts, %d connections: %d requests in %.1f s, %.0f a second\n",
		r.Command, r.Asked, r.Accounts, r.Conns, r.Requests, r.Seconds, r.PerSecond)
	fmt.Fprintf(&text, "took: median %.2f ms, p99 %.2f ms, p99.9 %.2f ms, the longest %.2f ms\n",
		r.Took.P50, r.Took.P99, r.Took.P999, r.Took.Max)
	if r.ServerCPU > 0 {
		fmt.Fprintf(&text, "the server's processor time: %.0f µs for each\n", r.ServerCPU)
	}
	fmt.Fprintf(&text, "codes: %v\n", r.Codes)
	_, err := io.WriteString(out, text.String())
	return err
}
