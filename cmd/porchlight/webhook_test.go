package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/porchlight-im/porchlight/client/webhook"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/server"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

// ledger is what a back end was told, and what clients were answered.
type ledger struct {
	mu    sync.Mutex
	told  map[string]bool
	acked []string
	wrong []string
	last  map[string]string
	up    atomic.Bool
}

func (l *ledger) hear(_ *http.Request, e *webhook.Event) (webhook.Answer, error) {
	if !l.up.Load() {
		return webhook.Answer{}, errors.New("not now")
	}
	s, err := e.StateChange()
	if err != nil {
		return webhook.Answer{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	line := s.Info.UserID + " " + s.Info.Action + " " + s.Info.CustomStatus
	if old := l.last[s.Info.UserID]; old != "" && e.Version != old && !webhook.Before(old, e.Version) && !l.told[line] {
		l.wrong = append(l.wrong, line+" of "+e.Version+" comes after "+old)
	}
	l.told[line], l.last[s.Info.UserID] = true, e.Version
	return webhook.Answer{}, nil
}

func (l *ledger) ack(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked = append(l.acked, line)
}

// missing gives what was answered and not told.
func (l *ledger) missing() (lines []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.acked {
		if !l.told[line] {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestWE15_KilledServerHasLostNoEvent kills the program with SIGKILL while clients
// log in, set statuses and log out, and starts it again: the back end, which was
// away, is told of everything that any client was answered.
func TestWE15_KilledServerHasLostNoEvent(t *testing.T) {
	path := build(t)
	l := &ledger{told: map[string]bool{}, last: map[string]string{}}
	back := httptest.NewServer(&webhook.Receiver{Token: "tok-51f0", SignBody: true, Handle: l.hear})
	defer back.Close()
	dir := filepath.Join(t.TempDir(), "data")
	for cycle := range 3 {
		p := start(t, path, "serve", "-dev", "-listen", "127.0.0.1:0", "-data", dir,
			"-set", "webhook.allow=[127.0.0.0/8]", "-set", "grace.node=100ms", "-set", "log.level=error")
		line, err := p.lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		var dev server.Dev
		if err := json.Unmarshal([]byte(line), &dev); err != nil {
			t.Fatal(err)
		}
		s := testkit.Attach(t, &dev)
		if cycle == 0 {
			hooks := fmt.Sprintf("/apps/%d/webhooks", dev.SDKAppID)
			settings := map[string]any{"token": "tok-51f0", "durable": true, "commands": map[string]any{"Porchlight.Lost": false}}
			s.Order(http.MethodPatch, hooks, settings, nil)
			s.Order(http.MethodPost, hooks+"/urls", map[string]any{"url": back.URL}, nil)
		}
		if cycle > 0 {
			l.up.Store(true)
			awaitTold(t, l)
			l.up.Store(false)
		}
		gone := make(chan struct{})
		work(t, s, l, cycle, gone)
		if err := p.cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_, _ = p.end(t)
		close(gone)
	}
	if len(l.wrong) > 0 {
		t.Errorf("out of order: %v", l.wrong)
	}
}

// awaitTold waits until the back end was told of all that was answered.
func awaitTold(t *testing.T, l *ledger) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		left := l.missing()
		if len(left) == 0 {
			return
		}
		if time.Since(began) > 40*time.Second {
			t.Fatalf("%d of %d were never told: %v", len(left), len(l.acked), left[:min(len(left), 5)])
		}
	}
}

// work has clients do things and returns while they are at it, until the server
// is gone.
func work(t *testing.T, s *testkit.Server, l *ledger, cycle int, gone <-chan struct{}) {
	t.Helper()
	const clients, enough = 8, 300
	done := make(chan struct{}, 1)
	var acks atomic.Int64
	for n := range clients {
		user := im.UserID(fmt.Sprintf("u%d.%d", cycle, n))
		c := s.Connect(user)
		c.MustLogin()
		l.ack(string(user) + " Login ")
		go func() { // it ends with the server
			for i := 0; ; i++ {
				text := fmt.Sprint(i)
				select {
				case a := <-c.Send(c.Head("im_open_status.ws_set_custom_status", c.NextSeq()), map[string]any{"CustomStatus": text}):
					if a.Code != 0 {
						return
					}
				case <-gone:
					return
				}
				l.ack(string(user) + " CustomStatusChange " + text)
				if acks.Add(1) == enough {
					done <- struct{}{}
				}
			}
		}()
	}
	<-done
}
