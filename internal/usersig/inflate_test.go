package usersig_test

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"encoding/binary"
	"hash/adler32"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/usersig"
)

// deflated is data as zlib packs it at a level.
func deflated(data []byte, level int) []byte {
	var b bytes.Buffer
	w, err := zlib.NewWriterLevel(&b, level)
	if err != nil {
		panic(err)
	}
	_, _ = w.Write(data) // a Buffer takes all
	_ = w.Close()
	return b.Bytes()
}

var levels = []int{flate.HuffmanOnly, flate.DefaultCompression, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9}

func TestInflateReadsEveryLevel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 4000)
	for i := range noise {
		noise[i] = byte(rnd.Uint32() >> rnd.UintN(32))
	}
	texts := [][]byte{nil, []byte("a"), noise, bytes.Repeat([]byte{0}, 4096), []byte(strings.Repeat("TLS.sig TLS.ver ", 200))}
	for _, text := range texts {
		for _, level := range levels {
			got, ok := usersig.InflateForTest(deflated(text, level), 4096)
			if !ok || !bytes.Equal(got, text) {
				t.Errorf("%d bytes at level %d: %t, %s", len(text), level, ok, cmp.Diff(got, text))
			}
		}
	}
}

func TestInflateLimit(t *testing.T) {
	for _, level := range levels {
		packed := deflated(bytes.Repeat([]byte("x"), 1000), level)
		if _, ok := usersig.InflateForTest(packed, 999); ok {
			t.Errorf("level %d: 1000 bytes pass a limit of 999", level)
		}
		if _, ok := usersig.InflateForTest(packed, 1000); !ok {
			t.Errorf("level %d: 1000 bytes do not pass a limit of 1000", level)
		}
	}
}

// bitWriter writes the lowest bit of a byte first.
type bitWriter struct {
	b []byte
	n uint
}

func (w *bitWriter) put(v uint, n int) {
	for i := range n {
		if w.n%8 == 0 {
			w.b = append(w.b, 0)
		}
		w.b[len(w.b)-1] |= byte(v>>i&1) << (w.n % 8)
		w.n++
	}
}

// code writes a Huffman code, its highest bit first.
func (w *bitWriter) code(v uint, n int) {
	for i := n - 1; i >= 0; i-- {
		w.put(v>>i&1, 1)
	}
}

// costly writes an empty block with as dear a code as its few bytes can say.
func (w *bitWriter) costly() {
	w.put(0, 1)
	w.put(2, 2)
	w.put(29, 5)
	w.put(0, 5)
	w.put(15, 4)
	lengths := []int{5, 5, 5, 0, 0, 0, 0, 0, 0, 0, 3, 5, 5, 5, 4, 4, 1, 0, 4}
	for _, s := range []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15} {
		w.put(uint(lengths[s]), 3)
	}
	codes := map[int]string{}
	for c, s := range codesOf(lengths) {
		codes[s] = c
	}
	put := func(symbols ...int) {
		for _, s := range symbols {
			for _, c := range codes[s] {
				w.put(uint(c-'0'), 1)
			}
		}
	}
	put(10)
	for range 42 {
		put(16)
		w.put(3, 2)
	}
	put(10, 10, 2, 1, 11, 12, 13, 14, 15, 15, 18)
	w.put(286-263-11, 7)
	put(1)
	w.code(0, 1)
}

// hostile is the stream that costs the most to read for its length.
func hostile(size int) []byte {
	w := &bitWriter{}
	for len(w.b) < size-50 {
		w.costly()
	}
	w.put(1, 1)
	w.put(1, 2)
	w.code(0, 7)
	b := append([]byte{0x78, 0x01}, w.b...)
	return binary.BigEndian.AppendUint32(b, adler32.Checksum(nil))
}

func TestInflateHostileHeadersAreValid(t *testing.T) {
	stream := hostile(3000)
	if got, ok := oracleZlib(stream, 10); !ok || len(got) != 0 {
		t.Fatal("the oracle does not read the hostile stream")
	}
	if got, ok := usersig.InflateForTest(stream, 10); !ok || len(got) != 0 {
		t.Fatal("Inflate does not read the hostile stream")
	}
}

// BenchmarkStandardInflateHostile is what compress/zlib makes of the stream of
// BenchmarkVerifyHostile.
func BenchmarkStandardInflateHostile(b *testing.B) {
	stream := hostile(3000)
	b.ReportAllocs()
	for b.Loop() {
		r, err := zlib.NewReader(bytes.NewReader(stream))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadAll(io.LimitReader(r, 11)); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzInflate compares with compress/flate: data as a whole stream, and as the
// body of one with a right head and checksum.
func FuzzInflate(f *testing.F) {
	for _, level := range levels {
		packed := deflated([]byte(strings.Repeat("TLS.sig TLS.ver ", 9)), level)
		f.Add(packed)
		f.Add(packed[2 : len(packed)-4])
	}
	f.Add(hostile(200))
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 1000
		body, _ := flateOf(data, limit)
		wrapped := append([]byte{0x78, 0x9c}, data...)
		wrapped = binary.BigEndian.AppendUint32(wrapped, adler32.Checksum(body))
		for _, stream := range [][]byte{data, wrapped} {
			want, wantOK := oracleZlib(stream, limit)
			got, ok := usersig.InflateForTest(stream, limit)
			if ok != wantOK || ok && !bytes.Equal(got, want) {
				t.Fatalf("%x: got %t %x, want %t %x", stream, ok, got, wantOK, want)
			}
			if len(got) > limit {
				t.Fatalf("%d bytes pass a limit of %d", len(got), limit)
			}
		}
	})
}

// flateOf is what compress/flate makes of data, up to a limit.
func flateOf(data []byte, limit int) ([]byte, error) {
	b := make([]byte, limit)
	n, err := io.ReadFull(flate.NewReader(bytes.NewReader(data)), b)
	return b[:n], err
}
