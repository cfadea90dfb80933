package usersig_test

import (
	"fmt"
	"sort"
	"strings"
)

// paddedWithZeros reports whether the bits that a valid deflate stream leaves
// unused are zero: compress/flate does not tell. It walks the stream as text, a
// digit a bit, with codes in maps, and so that nothing is left over.
func paddedWithZeros(stream []byte) bool {
	w := walker{}
	for _, b := range stream {
		for i := range 8 {
			w.bits += string('0' + rune(b>>i&1))
		}
	}
	w.total = len(w.bits)
	for last := false; !last; {
		last = w.take(1) == "1"
		switch w.take(2) {
		case "00":
			if !w.pad() {
				return false
			}
			n := w.number(16)
			w.take(16 + 8*n)
		case "10":
			w.body(fixedCodes())
		case "01":
			w.body(w.codes())
		}
	}
	return w.pad() && w.bits == ""
}

type walker struct {
	bits  string
	total int
}

func (w *walker) take(n int) string {
	s := w.bits[:n]
	w.bits = w.bits[n:]
	return s
}

// number takes an integer, its lowest bit first.
func (w *walker) number(n int) (v int) {
	for i, c := range w.take(n) {
		v += int(c-'0') << i
	}
	return v
}

// pad drops what is left of a byte and reports whether it is zeros.
func (w *walker) pad() bool {
	return !strings.Contains(w.take(len(w.bits)%8), "1")
}

func (w *walker) symbol(codes map[string]int) int {
	for n := 1; ; n++ {
		if s, ok := codes[w.bits[:n]]; ok {
			w.take(n)
			return s
		}
	}
}

func (w *walker) body(lit, dist map[string]int) {
	for {
		s := w.symbol(lit)
		if s == 256 {
			return
		}
		if s > 264 && s < 285 {
			w.take((s - 261) / 4)
		}
		if s > 256 {
			if d := w.symbol(dist); d > 3 {
				w.take(d/2 - 1)
			}
		}
	}
}

func (w *walker) codes() (lit, dist map[string]int) {
	nlit, ndist, nlen := w.number(5)+257, w.number(5)+1, w.number(4)+4
	lengths := make([]int, 19)
	for _, i := range []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}[:nlen] {
		lengths[i] = w.number(3)
	}
	code := codesOf(lengths)
	lengths = nil
	for len(lengths) < nlit+ndist {
		s, n := w.symbol(code), 1
		switch s {
		case 16:
			s, n = lengths[len(lengths)-1], 3+w.number(2)
		case 17:
			s, n = 0, 3+w.number(3)
		case 18:
			s, n = 0, 11+w.number(7)
		}
		for range n {
			lengths = append(lengths, s)
		}
	}
	return codesOf(lengths[:nlit]), codesOf(lengths[nlit:])
}

func fixedCodes() (lit, dist map[string]int) {
	var a, b []int
	for i := range 288 {
		n := 8
		if i >= 144 && i < 256 {
			n = 9
		} else if i >= 256 && i < 280 {
			n = 7
		}
		a = append(a, n)
	}
	for range 32 {
		b = append(b, 5)
	}
	return codesOf(a), codesOf(b)
}

// codesOf gives the symbol of each code: counting up in the order of length,
// then of symbol.
func codesOf(lengths []int) map[string]int {
	var used []int
	for s, n := range lengths {
		if n > 0 {
			used = append(used, s)
		}
	}
	sort.SliceStable(used, func(i, j int) bool { return lengths[used[i]] < lengths[used[j]] })
	codes := map[string]int{}
	next, width := 0, 0
	for _, s := range used {
		next <<= lengths[s] - width
		width = lengths[s]
		codes[fmt.Sprintf("%0*b", width, next)] = s
		next++
	}
	return codes
}
