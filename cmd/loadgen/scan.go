package main

import (
	"encoding/json"
	"errors"
	"strconv"
)

// statusItem is one status of a push or of an answer, as far as anyone here
// asks. Its bytes are part of what was read.
type statusItem struct {
	user    []byte
	general int
	custom  []byte // base64
}

var errPush = errors.New("the server sent a push that is not of the form of one")

// scanPush calls each with every status of a push, in order. It does not decode
// what nobody asks for: most of what a generator does is to read pushes.
func scanPush(payload []byte, each func(statusItem)) error {
	s := scanner{b: payload}
	ok := s.members(func(name []byte) bool {
		if string(name) != "body" {
			return s.skip()
		}
		return s.body(each)
	})
	if !ok || s.next() != 0 {
		return errPush
	}
	return nil
}

// scanner goes through a JSON text. Each of its methods takes off what it names
// and says whether that was there.
type scanner struct {
	b  []byte
	at int
}

func (s *scanner) body(each func(statusItem)) bool {
	return s.members(func(name []byte) bool {
		if string(name) != "EventArray" {
			return s.skip()
		}
		return s.elements(func() bool { return s.event(each) })
	})
}

func (s *scanner) event(each func(statusItem)) bool {
	return s.members(func(name []byte) bool {
		if string(name) != "UserStatusList" {
			return s.skip()
		}
		return s.elements(func() bool {
			item, ok := s.status()
			if ok {
				each(item)
			}
			return ok
		})
	})
}

func (s *scanner) status() (item statusItem, ok bool) {
	ok = s.members(func(name []byte) (ok bool) {
		switch string(name) {
		case "To_Account":
			item.user, ok = s.text()
		case "Status":
			item.general, ok = s.number()
		case "CustomStatus":
			item.custom, ok = s.text()
		default:
			ok = s.skip()
		}
		return ok
	})
	return item, ok && item.user != nil
}

// next gives the byte that comes next, past any space; 0 at the end.
func (s *scanner) next() byte {
	for ; s.at < len(s.b); s.at++ {
		switch c := s.b[s.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) take(c byte) bool {
	if s.next() != c {
		return false
	}
	s.at++
	return true
}

// members goes through an object; visit takes off the value of each name.
func (s *scanner) members(visit func(name []byte) bool) bool {
	if !s.take('{') {
		return false
	}
	if s.take('}') {
		return true
	}
	for {
		name, ok := s.text()
		if !ok || !s.take(':') || !visit(name) {
			return false
		}
		if !s.take(',') {
			return s.take('}')
		}
	}
}

// elements goes through an array; visit takes off each value.
func (s *scanner) elements(visit func() bool) bool {
	if !s.take('[') {
		return false
	}
	if s.take(']') {
		return true
	}
	for {
		if !visit() {
			return false
		}
		if !s.take(',') {
			return s.take(']')
		}
	}
}

// text takes off a string. Only one with an escape in it is copied.
func (s *scanner) text() ([]byte, bool) {
	if !s.take('"') {
		return nil, false
	}
	start, escaped := s.at, false
	for ; s.at < len(s.b); s.at++ {
		switch s.b[s.at] {
		case '\\':
			escaped = true
			s.at++
		case '"':
			s.at++
			if escaped {
				return unescape(s.b[start-1 : s.at])
			}
			return s.b[start : s.at-1 : s.at-1], true
		}
	}
	return nil, false
}

func unescape(quoted []byte) ([]byte, bool) {
	var text string
	err := json.Unmarshal(quoted, &text)
	return []byte(text), err == nil
}

// number takes off a whole number.
func (s *scanner) number() (int, bool) {
	n, err := strconv.Atoi(string(s.scalar()))
	return n, err == nil
}

// scalar takes off a number, true, false or null.
func (s *scanner) scalar() []byte {
	s.next()
	start := s.at
	for ; s.at < len(s.b); s.at++ {
		switch s.b[s.at] {
		case ',', ']', '}', ' ', '\t', '\r', '\n':
			return s.b[start:s.at]
		}
	}
	return s.b[start:]
}

// skip takes off any value.
func (s *scanner) skip() bool {
	switch s.next() {
	case '"':
		_, ok := s.text()
		return ok
	case '{', '[':
		return s.skipNested()
	default:
		return len(s.scalar()) > 0
	}
}

// skipNested takes off an object or an array by its brackets alone.
func (s *scanner) skipNested() bool {
	for depth := 0; ; {
		switch s.next() {
		case 0:
			return false
		case '"':
			if _, ok := s.text(); !ok {
				return false
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		s.at++
		if depth == 0 {
			return true
		}
	}
}
