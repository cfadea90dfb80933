package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/wire"
)

// conn is one socket. In 512 bytes it fills a size class of the allocator: the
// next one is 576.
type conn struct {
	// Set at accept.
	g        *Gateway
	nc       net.Conn
	raw      syscall.RawConn // nil where reads and writes must go through nc
	app      im.AppID
	opcode   ws.OpCode  // of the frames it is sent
	instance uint64     // a hash of which page or process of the client it is, 0 if it does not say
	opened   int64      // ms, by the engine's clock, as all below
	addr     netip.Addr // the client's; none if a proxy does not say it

	// Written by the read goroutine or the sweeper, read by all.
	heard    atomic.Int64  // when the client was last heard
	told     atomic.Int64  // it has received all that changed before, by the engine's clock
	pinged   atomic.Int64  // when it was last pinged
	good     atomic.Bool   // it has sent a good frame
	settling atomic.Int64  // since when statuses wait for a client that has just logged in, ms; 0 once it is ready
	cause    atomic.Uint32 // why it ends, an im.Cause; the first one stands
	until    atomic.Int64  // when the sweeper closes it for good, 0 for not yet
	session  atomic.Pointer[session]

	// Owned by the read goroutine and the worker that it waits for.
	link  uint64 // of session, in the engine
	in    []byte // the beginning of a frame that has not all come
	whole []byte // the fragments of a message so far
	inOp  ws.OpCode
	over  int32 // commands refused for the rate
	rate  gcra
	rd    reader

	guest *guest // while it has no session; guarded by the lobby

	out outbox
}

// errEnd ends a read loop whose close has been sent or needs none.
var errEnd = errors.New("connection ended")

// run reads until the socket ends, and then takes the connection away. It never
// calls deep: a stack that has grown stays grown for as long as the goroutine
// waits, and this one waits for most of its life. What comes is served by a
// worker, and run waits for it.
func (c *conn) run(early []byte) {
	err := c.serve(early)
	for err == nil {
		err = c.read()
	}
	_ = c.g.work.do(job{c: c, finish: true}) // it has no error to give
}

// serve has a worker feed what came, and waits for it.
func (c *conn) serve(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	return c.g.work.do(job{c: c, data: data})
}

// finish runs when the read loop has ended, for whatever reason.
func (c *conn) finish() {
	c.setCause(im.CauseBreak)
	c.out.close()
	_ = c.nc.Close() // it may be closed already
	c.unbind(c.endCause())
	c.g.lobby.leave(c)
	c.g.hub.remove(c)
	c.g.metrics.closed.WithLabelValues(c.endCause().String()).Inc()
}

func (c *conn) endCause() im.Cause { return im.Cause(c.cause.Load()) }

// setCause says why the connection ends, unless that has been said.
func (c *conn) setCause(cause im.Cause) { c.cause.CompareAndSwap(0, uint32(cause)) }

// unbind takes the connection from its session, if it has one.
func (c *conn) unbind(cause im.Cause) {
	if s := c.session.Swap(nil); s != nil {
		s.left(c, c.g.now())
		c.g.cfg.Status.Leave(s.UserKey, s.Inst, c.link, cause, c.told.Load())
	}
}

// shut closes the connection with a code and a reason. The peer may still
// answer the close; the sweeper ends it if it does not.
func (c *conn) shut(cause im.Cause, code ws.StatusCode, reason string) {
	c.setCause(cause)
	c.lingerUntil(c.g.now() + closeLinger)
	c.out.finish(ws.NewCloseFrameBody(code, reason))
}

// closeLinger is how long, in ms, a peer may take to answer a close.
const closeLinger = 2000

// lingerUntil sets when the sweeper closes the connection; sooner stands.
func (c *conn) lingerUntil(t int64) {
	for {
		old := c.until.Load()
		if old != 0 && old <= t || c.until.CompareAndSwap(old, t) {
			return
		}
	}
}

// feed takes bytes that came and serves the frames that they complete.
func (c *conn) feed(data []byte) error {
	c.heard.Store(c.g.now())
	if len(c.in) > 0 {
		c.in = append(c.in, data...)
		data = c.in
	}
	for len(data) > 0 {
		r := bytes.NewReader(data)
		h, err := ws.ReadHeader(r)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return c.violate(err)
		}
		if err := c.check(h); err != nil {
			return err
		}
		head := len(data) - r.Len()
		if int64(r.Len()) < h.Length {
			break
		}
		end := head + int(h.Length)
		payload := data[head:end]
		if h.Masked {
			ws.Cipher(payload, h.Mask, 0)
		}
		data = data[end:]
		if err := c.frame(h, payload); err != nil {
			return err
		}
	}
	c.carry(data)
	return nil
}

// carry keeps the beginning of a frame, in memory of its own.
func (c *conn) carry(rest []byte) {
	switch {
	case len(rest) == 0:
		c.in = nil
	case len(c.in) >= len(rest) && &c.in[len(c.in)-1] == &rest[len(rest)-1]:
		c.in = append(c.in[:0], rest...)
	default:
		c.in = append(make([]byte, 0, len(rest)+512), rest...)
	}
}

// check judges a frame by its header alone, before anything of it is kept.
func (c *conn) check(h ws.Header) error {
	state := ws.StateServerSide
	if c.whole != nil {
		state = state.Set(ws.StateFragmented)
	}
	if err := ws.CheckHeader(h, state); err != nil {
		return c.violate(err)
	}
	if int64(len(c.whole))+h.Length > int64(c.g.lim.FrameBytes) {
		c.g.metrics.bad.WithLabelValues("oversized").Inc()
		c.shut(im.CauseBreak, ws.StatusMessageTooBig, "a message is at most "+itoa(c.g.lim.FrameBytes)+" bytes")
		return c.leaveUnread()
	}
	return nil
}

// violate ends a connection that does not speak WebSocket.
func (c *conn) violate(err error) error {
	c.g.metrics.bad.WithLabelValues("protocol").Inc()
	c.shut(im.CauseBreak, ws.StatusProtocolError, err.Error())
	return c.leaveUnread()
}

// leaveUnread stops reading a peer whose frames cannot be followed any more,
// once the close has had its chance to be written.
func (c *conn) leaveUnread() error {
	c.out.waitIdle()
	c.discard()
	return errEnd
}

// frame serves one whole frame. payload lives no longer than the call.
func (c *conn) frame(h ws.Header, payload []byte) error {
	switch h.OpCode {
	case ws.OpPing:
		c.out.control(ws.OpPong, payload)
		return nil
	case ws.OpPong:
		c.ponged(payload)
		return nil
	case ws.OpClose:
		return c.closed(payload)
	case ws.OpContinuation:
		c.whole = append(c.whole, payload...)
		if !h.Fin {
			return nil
		}
		payload, h.OpCode = c.whole, c.inOp
		c.whole = nil
	default:
		if !h.Fin {
			c.inOp, c.whole = h.OpCode, append(make([]byte, 0, len(payload)+512), payload...)
			return nil
		}
	}
	if c.until.Load() != 0 && c.endCause() != im.CauseNone {
		return nil // a close is under way
	}
	return c.message(h.OpCode, payload)
}

// closed answers the client's close and says whether it left or lost its way.
func (c *conn) closed(payload []byte) error {
	code, reason := ws.ParseCloseFrameData(payload)
	reply := payload
	if len(payload) > 0 {
		if err := ws.CheckCloseFrameData(code, reason); err != nil {
			code, reply = ws.StatusProtocolError, ws.NewCloseFrameBody(ws.StatusProtocolError, err.Error())
		}
	}
	if code == replacedByClient {
		c.setCause(im.CauseBreak)
	} else {
		c.setCause(im.CauseClose)
	}
	c.out.finish(bytes.Clone(reply))
	c.out.waitIdle()
	return errEnd
}

// replacedByClient is the code with which the official client closes a socket
// that it replaces by another.
const replacedByClient = 4001

// message decodes and serves one message.
func (c *conn) message(op ws.OpCode, msg []byte) error {
	if op == ws.OpText && !utf8.Valid(msg) {
		c.g.metrics.bad.WithLabelValues("utf8").Inc()
		c.shut(im.CauseBreak, ws.StatusInvalidFramePayloadData, "text that is not UTF-8")
		return c.leaveUnread()
	}
	var req wire.Request
	if err := wire.Decode(msg, c.g.lim.FrameDepth, &req); err != nil {
		c.g.metrics.bad.WithLabelValues("frame").Inc()
		refusal := im.Errorf(im.CodeBadRequest, "the frame cannot be read: %v", err)
		c.reply(wire.AppendFailure(nil, wire.PushError, nil, c.g.cfg.Now().Unix(), refusal))
		c.shut(im.CauseBreak, ws.StatusInvalidFramePayloadData, "a frame that cannot be read")
		return c.leaveUnread()
	}
	c.g.metrics.frames.Inc()
	ctx, cancel := context.WithTimeout(context.Background(), c.g.lim.CommandTimeout)
	defer cancel()
	return c.dispatch(ctx, &req)
}

// peer gives the address by which limits count the client.
func (c *conn) peer() netip.Addr { return network(c.addr) }

// caller says in a context that the client orders what is done under it, from a
// session on a platform.
func (c *conn) caller(ctx context.Context, p im.Platform) context.Context {
	return im.WithCaller(ctx, im.Caller{Kind: im.CallerClient, Addr: c.addr, Platform: p})
}

// reply queues an answer and writes it if nobody else is writing.
func (c *conn) reply(payload []byte) { c.out.reply(payload) }

// The connection as the status engine sees it.

// Others takes a notice about someone else.
func (c *conn) Others(n *im.Notice) { c.out.others(n) }

// Own takes a notice about the connection's user.
func (c *conn) Own(n *im.Notice) { c.out.ownStatus(n) }

// Forget drops what rests on having watched these users.
func (c *conn) Forget(users []im.UserID) { c.out.forget(users) }

// Told gives the time before which nothing changed that the client has not
// received.
func (c *conn) Told() int64 { return c.told.Load() }

// Addr gives the client's address.
func (c *conn) Addr() netip.Addr { return c.addr }

// End says that the session is over, or that another socket took this one's
// place. A kicked client is told; its socket stays open a while for its logout.
// One whose UserSig or key is over, or whom an administrator threw out, loses its
// socket at the next sweep: the answer that is being made comes first.
func (c *conn) End(cause im.Cause) {
	c.out.forgetAll()
	if cause == im.CauseBreak {
		c.shut(im.CauseBreak, replacedByClient, "another socket of this session took over")
		return
	}
	if s := c.session.Load(); s != nil {
		s.end(cause)
	}
	if wire.KickType(cause) != 0 {
		c.reply(wire.AppendKick(nil, cause))
	}
	switch cause {
	case im.CauseExpiry, im.CauseKickAdmin:
		c.lingerUntil(c.g.now())
	case im.CauseKickSame, im.CauseKickOther:
		c.lingerUntil(c.g.now() + c.g.lim.KickLinger.Milliseconds())
	}
}
