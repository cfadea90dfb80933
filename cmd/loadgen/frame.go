package main

import (
	"encoding/binary"
	"errors"
)

// The WebSocket opcodes.
const (
	opBinary = 2
	opClose  = 8
	opPing   = 9
	opPong   = 10
)

// maxMessage bounds what the server may send in one frame.
const maxMessage = 1 << 20

var (
	errMasked     = errors.New("the server masked a frame")
	errFragment   = errors.New("the server sent a fragment or used a reserved bit")
	errMessageBig = errors.New("the server sent a frame over 1 MiB")
	errControlBig = errors.New("the server sent a control frame over 125 bytes")
)

// wsFrame is one WebSocket frame of the server's.
type wsFrame struct {
	op      byte
	payload []byte // part of what was read
}

// nextFrame takes one whole frame off b. Without an error and without ok the
// frame is not all there yet.
func nextFrame(b []byte) (f wsFrame, rest []byte, ok bool, err error) {
	if len(b) < 2 {
		return f, b, false, nil
	}
	f.op = b[0] & 0x0f
	size, header := int(b[1]&0x7f), 2
	switch {
	case b[0]&0xf0 != 0x80:
		return f, b, false, errFragment
	case b[1]&0x80 != 0:
		return f, b, false, errMasked
	case f.op >= opClose && size > 125:
		return f, b, false, errControlBig
	case size == 126:
		header = 4
	case size == 127:
		header = 10
	}
	if len(b) < header {
		return f, b, false, nil
	}
	switch header {
	case 4:
		size = int(binary.BigEndian.Uint16(b[2:]))
	case 10:
		long := binary.BigEndian.Uint64(b[2:])
		if long > maxMessage {
			return f, b, false, errMessageBig
		}
		size = int(long)
	}
	if len(b) < header+size {
		return f, b, false, nil
	}
	f.payload = b[header : header+size]
	return f, b[header+size:], true, nil
}

// appendFrame appends a whole masked frame, as a client sends it.
func appendFrame(dst []byte, op byte, mask uint32, payload []byte) []byte {
	dst = append(dst, 0x80|op)
	switch n := len(payload); {
	case n <= 125:
		dst = append(dst, 0x80|byte(n))
	case n <= 0xffff:
		dst = append(dst, 0x80|126)
		dst = binary.BigEndian.AppendUint16(dst, uint16(n))
	default:
		dst = append(dst, 0x80|127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	dst = binary.BigEndian.AppendUint32(dst, mask)
	key := dst[len(dst)-4:]
	for i, c := range payload {
		dst = append(dst, c^key[i&3])
	}
	return dst
}
