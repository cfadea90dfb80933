package main

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"time"
)

// stamp is what the generator puts into a custom status, so that whoever is told
// of it knows whose it is, which one in the user's order, and when it was due and
// sent, on the clock that all processes of a run share. It is some 30 bytes.
type stamp struct {
	user      int
	number    uint32
	due, sent time.Duration // to the microsecond
}

// appendStamp appends the text of a stamp.
func appendStamp(dst []byte, st stamp) []byte {
	dst = strconv.AppendInt(dst, int64(st.user), 36)
	dst = append(dst, '.')
	dst = strconv.AppendUint(dst, uint64(st.number), 36)
	dst = append(dst, '.')
	dst = strconv.AppendInt(dst, st.due.Microseconds(), 36)
	dst = append(dst, '.')
	return strconv.AppendInt(dst, st.sent.Microseconds()-st.due.Microseconds(), 36)
}

// readStamp reads what the server made of a custom status. None at all is the
// change of number 0, which every user begins with; ok is false for what no
// session of the generator sets.
func readStamp(custom []byte) (st stamp, ok bool) {
	if len(custom) == 0 {
		return stamp{user: -1}, true
	}
	var buf [128]byte
	if base64.StdEncoding.DecodedLen(len(custom)) > len(buf) {
		return st, false
	}
	n, err := base64.StdEncoding.Decode(buf[:], custom)
	if err != nil {
		return st, false
	}
	var fields [4]int64
	rest := buf[:n]
	for i := range fields {
		field, after, more := bytes.Cut(rest, []byte{'.'})
		if more != (i < len(fields)-1) {
			return st, false
		}
		if fields[i], err = strconv.ParseInt(string(field), 36, 64); err != nil {
			return st, false
		}
		rest = after
	}
	st.user, st.number = int(fields[0]), uint32(fields[1])
	st.due = time.Duration(fields[2]) * time.Microsecond
	st.sent = time.Duration(fields[2]+fields[3]) * time.Microsecond
	return st, true
}
