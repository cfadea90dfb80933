package usersig

import (
	"encoding/binary"
	"hash/adler32"
)

// What may be wrong with a zlib stream, for the text of a refusal.
const (
	whyBroken   = "it is not a zlib stream, or was changed on its way"
	whyTooLong  = "it is too long when inflated"
	whyTrailing = "there are bytes after its zlib stream"
)

// inflater unpacks zlib streams (RFC 1950, 1951), and is not compress/zlib for
// what that does with a stream made to hurt: 4 KiB of block headers, sent by
// anybody, cost it 2 ms and 3 MB of garbage, and 40 KiB of state at best. This
// one decodes bit by bit, allocates nothing but its output, and refuses bits
// that are set where padding belongs, so that a changed token is a bad one.
type inflater struct {
	in    []byte
	pos   int    // of the next byte of in
	hold  uint32 // bits taken from in and not used, the next one lowest
	have  uint   // how many; fewer than 8 between calls
	out   []byte
	limit int
	why   string // what is wrong, "" if nothing is; all calls return soon once it is set

	lit, dist huffman // of a block with its own codes
	lengths   [maxLit + maxDist]uint8
}

const (
	maxBits    = 15 // of a code
	maxLit     = 286
	maxDist    = 30
	endOfBlock = 256
)

// inflate unpacks src over dst, to at most limit bytes, and says what is wrong,
// "" if nothing is.
func (z *inflater) inflate(dst, src []byte, limit int) ([]byte, string) {
	const deflate, maxWindow, presetDictionary = 8, 7, 0x20
	if len(src) < 2 || src[0]&15 != deflate || src[0]>>4 > maxWindow ||
		src[1]&presetDictionary != 0 || binary.BigEndian.Uint16(src)%31 != 0 {
		return dst, whyBroken
	}
	z.in, z.pos, z.hold, z.have = src, 2, 0, 0
	z.out, z.limit, z.why = dst[:0], limit, ""
	for last := false; !last && z.why == ""; {
		last = z.bits(1) == 1
		z.block(z.bits(2))
	}
	z.align()
	switch sum := src[z.pos:]; {
	case z.why != "":
	case len(sum) < adler32.Size || binary.BigEndian.Uint32(sum) != adler32.Checksum(z.out):
		z.why = whyBroken
	case len(sum) > adler32.Size:
		z.why = whyTrailing
	}
	return z.out, z.why
}

func (z *inflater) block(kind int) {
	switch kind {
	case 0:
		z.stored()
	case 1:
		z.coded(&fixedLit, &fixedDist)
	case 2:
		if z.readCodes() {
			z.coded(&z.lit, &z.dist)
		}
	default:
		z.why = whyBroken
	}
}

// bits takes n bits, the first one lowest, 0 if there are not so many.
func (z *inflater) bits(n uint) int {
	for z.have < n {
		if z.pos == len(z.in) {
			z.why = whyBroken
			return 0
		}
		z.hold |= uint32(z.in[z.pos]) << z.have
		z.pos++
		z.have += 8
	}
	v := z.hold & (1<<n - 1)
	z.hold >>= n
	z.have -= n
	return int(v)
}

// align drops the rest of the byte, which must be zero.
func (z *inflater) align() {
	if z.hold != 0 && z.why == "" {
		z.why = whyBroken
	}
	z.hold, z.have = 0, 0
}

// room reports whether the output may grow by n bytes.
func (z *inflater) room(n int) bool {
	if n > z.limit-len(z.out) && z.why == "" {
		z.why = whyTooLong
	}
	return z.why == ""
}

func (z *inflater) stored() {
	z.align()
	n := z.bits(16)
	if check := z.bits(16); check != n^0xffff || n > len(z.in)-z.pos {
		z.why = whyBroken
	}
	if z.room(n) {
		z.out = append(z.out, z.in[z.pos:z.pos+n]...)
		z.pos += n
	}
}

// coded unpacks the body of a block of Huffman codes.
func (z *inflater) coded(lit, dist *huffman) {
	for z.why == "" {
		switch s := z.symbol(lit); {
		case s < endOfBlock:
			if z.room(1) {
				z.out = append(z.out, byte(s))
			}
		case s == endOfBlock:
			return
		case s < maxLit:
			z.repeat(s-endOfBlock-1, dist)
		default:
			z.why = whyBroken
		}
	}
}

// repeat unpacks one copy of earlier output, which may overlap itself.
func (z *inflater) repeat(s int, dist *huffman) {
	n := int(lengthBase[s]) + z.bits(uint(lengthExtra[s]))
	d := z.symbol(dist)
	if d >= maxDist {
		z.why = whyBroken
		return
	}
	back := int(distBase[d]) + z.bits(uint(distExtra[d]))
	if back > len(z.out) {
		z.why = whyBroken
	}
	if z.room(n) {
		for range n {
			z.out = append(z.out, z.out[len(z.out)-back])
		}
	}
}

// readCodes reads the codes of a block into lit and dist. Their lengths are
// themselves in a code, which lit holds for the while.
func (z *inflater) readCodes() bool {
	nlit, ndist, nlen := z.bits(5)+257, z.bits(5)+1, z.bits(4)+4
	if nlit > maxLit || ndist > maxDist {
		z.why = whyBroken
		return false
	}
	lengths := z.lengths[:len(lengthOrder)]
	clear(lengths)
	for _, i := range lengthOrder[:nlen] {
		lengths[i] = uint8(z.bits(3))
	}
	if !z.lit.build(lengths) {
		z.why = whyBroken
	}
	lengths = z.lengths[:nlit+ndist]
	for i := 0; i < len(lengths) && z.why == ""; {
		i += z.readLengths(lengths, i)
	}
	if z.why != "" {
		return false
	}
	if !z.lit.build(lengths[:nlit]) || !z.dist.build(lengths[nlit:]) {
		z.why = whyBroken
	}
	return z.why == ""
}

// readLengths reads one length into lengths[i], or several that are equal, and
// says how many.
func (z *inflater) readLengths(lengths []uint8, i int) int {
	n, length := 1, z.symbol(&z.lit)
	switch length {
	case 16:
		n = 3 + z.bits(2)
		if i == 0 {
			z.why = whyBroken
			return 0
		}
		length = int(lengths[i-1])
	case 17:
		n, length = 3+z.bits(3), 0
	case 18:
		n, length = 11+z.bits(7), 0
	}
	if n > len(lengths)-i {
		z.why = whyBroken
		return 0
	}
	for j := range n {
		lengths[i+j] = uint8(length)
	}
	return n
}

// symbol decodes one symbol, 0 if there is none.
func (z *inflater) symbol(h *huffman) int {
	code, first, index := 0, 0, 0
	for n := 1; n <= maxBits && z.why == ""; n++ {
		code |= z.bits(1)
		count := int(h.count[n])
		if code-first < count {
			return int(h.symbol[index+code-first])
		}
		index += count
		first = (first + count) << 1
		code <<= 1
	}
	z.why = whyBroken
	return 0
}

// huffman is a canonical code: how many symbols have a code of each length, and
// the symbols in the order of their codes.
type huffman struct {
	count  [maxBits + 1]uint16
	symbol [maxLit + 2]uint16
}

// build makes the code whose symbols have these lengths, 0 for not used. It
// reports whether every string of bits decodes, as it must, unless the code has
// no symbol at all or a single one.
func (h *huffman) build(lengths []uint8) bool {
	h.count = [maxBits + 1]uint16{}
	for _, n := range lengths {
		h.count[n]++
	}
	used := len(lengths) - int(h.count[0])
	var start [maxBits + 2]uint16
	left := 1
	for n := 1; n <= maxBits; n++ {
		left = left<<1 - int(h.count[n]) // once negative it stays so
		start[n+1] = start[n] + h.count[n]
	}
	for s, n := range lengths {
		if n != 0 {
			h.symbol[start[n]] = uint16(s)
			start[n]++
		}
	}
	return left == 0 || used == 0 || used == 1 && h.count[1] == 1
}

// The tables of RFC 1951, 3.2.5 to 3.2.7.
var (
	lengthBase = [...]uint16{
		3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
	}
	lengthExtra = [...]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase    = [...]uint16{
		1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073,
		4097, 6145, 8193, 12289, 16385, 24577,
	}
	distExtra   = [...]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
	lengthOrder = [...]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

	fixedLit  = fixed(144, 8, 112, 9, 24, 7, 8, 8)
	fixedDist = fixed(32, 5)
)

// fixed builds a code of the format itself from pairs of how many and how long.
func fixed(runs ...int) (h huffman) {
	var lengths []uint8
	for i := 0; i < len(runs); i += 2 {
		for range runs[i] {
			lengths = append(lengths, uint8(runs[i+1]))
		}
	}
	h.build(lengths)
	return h
}
