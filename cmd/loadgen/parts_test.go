package main

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"
)

func TestHistogramQuantiles(t *testing.T) {
	var h, parts histogram
	var all []time.Duration
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 10_000 {
		d := time.Duration(random.ExpFloat64() * float64(5*time.Millisecond))
		all = append(all, d)
		h.add(d)
		if i%100 == 99 {
			var one histogram
			for _, d := range all[i-99 : i+1] {
				one.add(d)
			}
			parts.merge(&one)
		}
	}
	slices.Sort(all)
	for _, q := range []float64{0.01, 0.5, 0.99, 0.999, 1} {
		want := all[int(q*float64(len(all)))-1]
		got := h.quantile(q)
		if got < want || float64(got) > 1.04*float64(want)+1 {
			t.Errorf("quantile %v = %v, want %v or up to 4 %% more", q, got, want)
		}
		if merged := parts.quantile(q); merged != got {
			t.Errorf("merged quantile %v = %v, want %v", q, merged, got)
		}
	}
	if got := new(histogram).quantile(0.5); got != 0 {
		t.Errorf("quantile of nothing = %v", got)
	}
}

func TestHistogramBuckets(t *testing.T) {
	last := -1
	for d := time.Duration(0); d < 1<<40; d += 1 + d/1000 {
		b := bucketOf(d)
		if b < last || b > last+1 {
			t.Fatalf("%v is in bucket %d after %d", d, b, last)
		}
		if last = b; bucketEnd(b) < d || b > 0 && bucketEnd(b-1) >= d {
			t.Fatalf("%v is not in bucket %d, which ends at %v", d, b, bucketEnd(b))
		}
	}
}

// serverFrame builds a frame as a server sends it: unmasked.
func serverFrame(op byte, payload []byte) []byte {
	masked := appendFrame(nil, op, 0, payload)
	header := len(masked) - len(payload) - 4
	frame := append(masked[:header:header], payload...)
	frame[1] &= 0x7f
	return frame
}

func TestNextFrame(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 65_535, 65_536, maxMessage} {
		payload := bytes.Repeat([]byte{'x'}, size)
		whole := append(serverFrame(opBinary, payload), 0x89)
		f, rest, ok, err := nextFrame(whole)
		if err != nil || !ok || f.op != opBinary || !bytes.Equal(f.payload, payload) || !bytes.Equal(rest, []byte{0x89}) {
			t.Fatalf("%d bytes: op %d, %d bytes, rest %x, %v, %v", size, f.op, len(f.payload), rest, ok, err)
		}
		for _, cut := range []int{0, 1, 2, 5, len(whole) - 2} {
			if cut > len(whole)-2 {
				continue
			}
			if _, rest, ok, err := nextFrame(whole[:cut]); ok || err != nil || len(rest) != cut {
				t.Fatalf("%d of %d bytes: %v, %v, %d left", cut, size, ok, err, len(rest))
			}
		}
	}
	for _, tt := range []struct {
		frame []byte
		want  error
	}{
		{[]byte{0x02, 0x00}, errFragment},
		{[]byte{0xc2, 0x00}, errFragment},
		{[]byte{0x82, 0x80}, errMasked},
		{[]byte{0x89, 126}, errControlBig},
		{[]byte{0x82, 127, 0, 0, 0, 0, 0, 0x10, 0, 1}, errMessageBig},
		{[]byte{0x82, 127, 0xff, 0, 0, 0, 0, 0, 0, 0}, errMessageBig},
	} {
		if _, _, ok, err := nextFrame(tt.frame); ok || !errors.Is(err, tt.want) {
			t.Errorf("%x: %v, %v; want %v", tt.frame, ok, err, tt.want)
		}
	}
}

func FuzzNextFrame(f *testing.F) {
	f.Add(serverFrame(opBinary, []byte("hello")))
	f.Add(serverFrame(opPing, nil))
	f.Add([]byte{0x82, 127, 0xff, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		f, rest, ok, err := nextFrame(b)
		if ok && (err != nil || len(f.payload)+len(rest) > len(b)-2) || !ok && len(rest) != len(b) {
			t.Errorf("%x: %+v, rest %x, %v, %v", b, f, rest, ok, err)
		}
	})
}

func TestTakeHandshake(t *testing.T) {
	good := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + handshakeAccept + "\r\n\r\n"
	if rest, ok, err := takeHandshake([]byte(good + "\x89\x00")); err != nil || !ok || string(rest) != "\x89\x00" {
		t.Errorf("rest %q, %v, %v", rest, ok, err)
	}
	if rest, ok, err := takeHandshake([]byte(good[:40])); err != nil || ok || len(rest) != 40 {
		t.Errorf("half an answer: rest %q, %v, %v", rest, ok, err)
	}
	for text, want := range map[string]string{
		"HTTP/1.1 503 Service Unavailable\r\n\r\n":                            "handshake: HTTP 503",
		"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\n\r\n": "handshake: wrong Sec-WebSocket-Accept",
		"SSH-2.0\r\n\r\n":                         "handshake: the answer is not HTTP",
		string(bytes.Repeat([]byte("x"), 17<<10)): "handshake: the answer has no end",
	} {
		if _, ok, err := takeHandshake([]byte(text)); ok || err == nil || err.Error() != want {
			t.Errorf("%.40q: %v, %v; want %s", text, ok, err, want)
		}
	}
}

func TestServerSentLooksAtTheHeadAlone(t *testing.T) {
	for text, want := range map[string]string{
		`{"head":{"servcmd":"im_open_push.msg_push","seq":1},"body":{}}`:            cmdPush,
		`{"head":{"servcmd":"im_open_status.stat_forceoffline","seq":0},"body":{}}`: cmdKick,
		`{"head":{"servcmd":"im_open_status.wslogin","seq":1},"body":{}}`:           "",
		`{}`: "",
	} {
		if got := serverSent([]byte(text)); got != want {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
}

func TestCloseReason(t *testing.T) {
	for payload, want := range map[string]string{
		"":             "closed without a code",
		"\x03\xe9":     "closed with 1001",
		"\x03\xe9gone": `closed with 1001 ("gone")`,
	} {
		if got := closeReason([]byte(payload)); got != want {
			t.Errorf("%q: %s, want %s", payload, got, want)
		}
	}
}

func TestProcessFiles(t *testing.T) {
	cpu, err := cpuOf([]byte("42 (a name) of) sorts) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0\n"))
	if err != nil || cpu != 2*time.Second {
		t.Errorf("cpu %v, %v; want 2s", cpu, err)
	}
	pages, err := residentPages("1000 250 30 1 0 90 0\n")
	if err != nil || pages != 250 {
		t.Errorf("pages %d, %v; want 250", pages, err)
	}
	if _, err := cpuOf([]byte("nonsense")); err == nil {
		t.Error("nonsense was read as a stat")
	}
	if _, err := residentPages("1"); err == nil {
		t.Error("nonsense was read as a statm")
	}
	if _, err := (process{1 << 30}).sample("now"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a process that is not there: %v", err)
	}
}

func TestSubscribeScript(t *testing.T) {
	cfg := config{Users: "u", Sessions: 4, Watch: 3}
	script := cfg.subscribeScript(2)
	if len(script) != 2 || script[0].body != `{"UnsubscribeAll":1}` || script[1].body != `{"To_Account":["u000003","u000000","u000001"]}` {
		t.Errorf("script %+v", script)
	}
	cfg = config{Users: "u", Sessions: 1000, Watch: 200}
	if got := len(cfg.subscribeScript(0)); got != 3 {
		t.Errorf("%d requests for 200 accounts, want 3", got)
	}
}
