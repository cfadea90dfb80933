package gateway

import (
	"errors"
	"io"
	"sync"
	"syscall"
	"time"

	"github.com/gobwas/ws"

	"github.com/porchlight-im/porchlight/internal/im"
)

// readSize is how much is taken from a socket at a time.
const readSize = 16 << 10

// buffers are lent to connections while they have something to read or write.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, readSize); return &b }}

// returnBuffer puts a buffer back, unless one long answer made it large.
func returnBuffer(b *[]byte) {
	if cap(*b) <= 4*readSize {
		*b = (*b)[:0]
		buffers.Put(b)
	}
}

// reader is what a connection needs to wait for bytes without a buffer.
type reader struct {
	fn  func(fd uintptr) bool // made once: the poller calls it when there may be bytes
	buf *[]byte
	n   int
	err error
}

// writer is what a connection needs to write without blocking. Owned by whoever
// has the outbox's turn.
type writer struct {
	fn  func(fd uintptr) bool
	buf []byte
	n   int
	err error
}

// initIO finds out how the socket is read and written. TLS and pipes have no
// descriptor of their own to wait on; each of their writes costs a goroutine.
func (c *conn) initIO() {
	c.out.c = c
	if c.raw = rawOf(c.nc); c.raw == nil {
		return
	}
	c.rd.fn = c.tryRead
	c.out.wr.fn = c.tryWrite
}

// read waits for bytes and serves them. It holds a buffer only while there are
// some.
func (c *conn) read() error {
	if c.raw == nil {
		buf := make([]byte, 4<<10)
		n, err := c.nc.Read(buf)
		if err != nil {
			return err
		}
		return c.serve(buf[:n])
	}
	if err := c.raw.Read(c.rd.fn); err != nil {
		return err
	}
	buf, n, err := c.rd.buf, c.rd.n, c.rd.err
	c.rd.buf = nil
	defer returnBuffer(buf)
	switch {
	case err != nil:
		return err
	case n == 0:
		return io.EOF
	}
	return c.serve((*buf)[:n])
}

// tryRead reads if there are bytes; false makes the caller wait for some.
func (c *conn) tryRead(fd uintptr) bool {
	buf := buffers.Get().(*[]byte)
	n, err := readFD(fd, (*buf)[:readSize])
	for errors.Is(err, syscall.EINTR) {
		n, err = readFD(fd, (*buf)[:readSize])
	}
	if errors.Is(err, syscall.EAGAIN) {
		returnBuffer(buf)
		return false
	}
	c.rd.buf, c.rd.n, c.rd.err = buf, n, err
	return true
}

// tryWrite writes what can be written at once.
func (c *conn) tryWrite(fd uintptr) bool {
	w := &c.out.wr
	w.n, w.err = writeFD(fd, w.buf)
	return true
}

// writeNow writes what the socket takes at once and says how much that was.
func (c *conn) writeNow(buf []byte) (int, error) {
	if c.raw == nil {
		return 0, nil
	}
	w := &c.out.wr
	w.buf = buf
	err := c.raw.Write(w.fn)
	w.buf = nil
	switch {
	case err != nil:
		return 0, err
	case errors.Is(w.err, syscall.EAGAIN) || errors.Is(w.err, syscall.EINTR):
		return 0, nil
	case w.err != nil:
		return 0, w.err
	}
	return w.n, nil
}

// writeAll writes the rest, for at most the write deadline, in a goroutine of
// its own.
func (c *conn) writeAll(buf []byte) error {
	if err := c.nc.SetWriteDeadline(time.Now().Add(c.g.lim.Write)); err != nil {
		return err
	}
	if _, err := c.nc.Write(buf); err != nil {
		return err
	}
	return c.nc.SetWriteDeadline(time.Time{}) // or writeNow would fail when it has passed
}

// discard reads and drops what a peer still sends after it was sent a close,
// so that the close is not lost to a reset, for as long as a close may take.
func (c *conn) discard() {
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // the peer may be gone
	}
	if err := c.nc.SetReadDeadline(time.Now().Add(closeLinger * time.Millisecond)); err != nil {
		return
	}
	buf := buffers.Get().(*[]byte)
	defer returnBuffer(buf)
	for range maxDiscard / readSize {
		if _, err := c.nc.Read((*buf)[:readSize]); err != nil {
			return
		}
	}
}

// maxDiscard bounds what is read in vain.
const maxDiscard = 4 << 20

// appendFrame appends a WebSocket frame as a server sends it: whole, unmasked.
func appendFrame(dst []byte, op ws.OpCode, parts ...[]byte) []byte {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	dst = appendFrameHead(dst, op, size)
	for _, p := range parts {
		dst = append(dst, p...)
	}
	return dst
}

func appendFrameHead(dst []byte, op ws.OpCode, size int) []byte {
	dst = append(dst, 0x80|byte(op))
	switch {
	case size < 126:
		return append(dst, byte(size))
	case size < 1<<16:
		return append(dst, 126, byte(size>>8), byte(size))
	default:
		return append(dst, 127, 0, 0, 0, 0, byte(size>>24), byte(size>>16), byte(size>>8), byte(size))
	}
}

// gcra is a rate limit in one word: the time, in Unix ns, when what was let
// through is paid for.
type gcra struct{ paid int64 }

// allow reports whether one more may pass, at a rate of one each step and burst
// at once.
func (l *gcra) allow(now, step int64, burst int) bool {
	if l.paid < now {
		l.paid = now
	}
	if l.paid-now > step*int64(burst-1) {
		return false
	}
	l.paid += step
	return true
}

// next gives when allow will let one more pass.
func (l *gcra) next(step int64, burst int) int64 { return l.paid - step*int64(burst-1) }

// itoa is strconv.Itoa for a limit in a message.
func itoa(n int) string { return im.AppID(n).String() }
