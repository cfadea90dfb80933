package gateway

import (
	"bytes"
	"net"
	"testing"
	"time"
)

// deadlined notes when a connection must have been written to.
type deadlined struct {
	net.Conn
	by time.Time
}

func (d *deadlined) SetWriteDeadline(by time.Time) error {
	d.by = by
	return d.Conn.SetWriteDeadline(by)
}

// TestLargeAnswerToASlowReaderArrives writes more than the socket takes at once;
// the deadline for that is none for what comes later.
func TestLargeAnswerToASlowReaderArrives(t *testing.T) {
	g := newTestGateway(t, Limits{Write: time.Minute})
	c, peer := tcpConn(t, g)
	noted := &deadlined{Conn: c.nc}
	c.nc = noted
	answer := bytes.Repeat([]byte("x"), 16<<20)
	c.reply(answer)
	c.reply([]byte("next"))
	for i, want := range [][]byte{answer, []byte("next"), []byte("later")} {
		if i == 2 {
			c.out.waitIdle()
			if !noted.by.IsZero() {
				t.Errorf("what comes later must be written by %v", noted.by)
			}
			c.reply(want)
		}
		f, err := readFrame(peer)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(f, want) {
			t.Fatalf("got %d bytes, want %d", len(f), len(want))
		}
	}
}
