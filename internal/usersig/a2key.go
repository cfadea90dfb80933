package usersig

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"sync"

	"github.com/porchlight-im/porchlight/internal/im"
)

// A2 is what an A2Key says: which session it is, and of what UserSig.
type A2 struct {
	App      im.AppID
	User     im.UserID
	Platform im.Platform
	Inst     im.InstID
	Issued   int64  // Unix seconds: when its UserSig was issued, which revocation goes by
	Opened   int64  // Unix milliseconds
	Expires  int64  // Unix seconds, the last one it is good in: its UserSig's
	KeyID    uint32 // the application's key that signed its UserSig
}

// The layout of an A2Key, before base64: a head of fixed length, big-endian, the
// user ID, the HMAC over a2Label and both.
const (
	a2Version = 1
	a2Head    = 1 + 4 + 1 + 4 + 8 + 8 + 8 + 4
	a2Min     = a2Head + 1 + sha256.Size
	a2Text    = 512 // characters looked at at all; today's are at most 136
	a2Derive  = "porchlight a2 v1"
)

var a2Label = []byte("porchlight a2key\x00")

// MinSecretBytes is the length below which [NewSealer] takes no secret.
const MinSecretBytes = 16

// Sealer makes and opens the A2Keys of one server. Any number of goroutines may
// use it.
type Sealer struct {
	pool sync.Pool // of *seal
}

// seal is what one call needs.
type seal struct {
	mac   hash.Hash
	text  [a2Text]byte // base64
	again [a2Text]byte
	raw   [a2Text]byte // decoded
	sum   [sha256.Size]byte
}

// NewSealer makes the Sealer of a server's secret, which should be 32 random
// bytes; all nodes of a cluster share it. It keeps no reference to the secret,
// and panics if that is shorter than [MinSecretBytes]: anybody could sign.
func NewSealer(secret []byte) *Sealer {
	if len(secret) < MinSecretBytes {
		panic("usersig: the server's secret is too short")
	}
	derive := hmac.New(sha256.New, secret)
	derive.Write([]byte(a2Derive))
	key := derive.Sum(nil)
	return &Sealer{pool: sync.Pool{New: func() any {
		return &seal{mac: hmac.New(sha256.New, key)}
	}}}
}

// Seal gives the A2Key of a session. The same session gives the same key. What
// is no session at all (no app, user or instance) is sealed but never opened.
func (s *Sealer) Seal(a A2) string {
	t := s.pool.Get().(*seal)
	defer s.pool.Put(t)
	b := append(t.raw[:0], a2Version)
	b = binary.BigEndian.AppendUint32(b, uint32(a.App))
	b = append(b, byte(a.Platform))
	b = binary.BigEndian.AppendUint32(b, uint32(a.Inst))
	b = binary.BigEndian.AppendUint64(b, uint64(a.Issued))
	b = binary.BigEndian.AppendUint64(b, uint64(a.Opened))
	b = binary.BigEndian.AppendUint64(b, uint64(a.Expires))
	b = binary.BigEndian.AppendUint32(b, a.KeyID)
	b = append(b, a.User...)
	b = append(b, t.sign(b)...)
	return base64.RawURLEncoding.EncodeToString(b)
}

// Open gives the session of an A2Key that a Sealer of the same secret made, and
// refuses all else with [im.CodeSigExpired]: the client must forget the key and
// log in again. Before the HMAC has been found right, nothing of what the key
// says is looked at.
//
// It does not say that the session is alive: whether the key has expired, is
// revoked or is of another app than the request, the caller must check.
func (s *Sealer) Open(token string) (A2, error) {
	if len(token) == 0 || len(token) > a2Text {
		return A2{}, im.Err(im.CodeSigExpired)
	}
	t := s.pool.Get().(*seal)
	defer s.pool.Put(t)
	b, ok := t.decode(token)
	if !ok {
		return A2{}, im.Err(im.CodeSigExpired)
	}
	payload, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if !hmac.Equal(t.sign(payload), sum) {
		return A2{}, im.Err(im.CodeSigExpired)
	}
	a, ok := parseA2(payload)
	if !ok {
		return A2{}, im.Err(im.CodeSigExpired)
	}
	return a, nil
}

// sign gives the HMAC of a payload, good until the next call.
func (t *seal) sign(payload []byte) []byte {
	t.mac.Reset()
	t.mac.Write(a2Label)
	t.mac.Write(payload)
	return t.mac.Sum(t.sum[:0])
}

// decode gives the bytes of a canonical text, at least as many as a key has.
// Encoding again shows what the decoder lets pass: line breaks, pad bits.
func (t *seal) decode(token string) ([]byte, bool) {
	n, err := base64.RawURLEncoding.Strict().Decode(t.raw[:], t.text[:copy(t.text[:], token)])
	if err != nil || n < a2Min {
		return nil, false
	}
	again := base64.RawURLEncoding.AppendEncode(t.again[:0], t.raw[:n])
	return t.raw[:n], string(again) == token
}

// parseA2 reads a payload that this server has signed. One that no server of
// this version would have signed is refused.
func parseA2(b []byte) (A2, bool) {
	if b[0] != a2Version {
		return A2{}, false
	}
	a := A2{
		App:      im.AppID(binary.BigEndian.Uint32(b[1:])),
		Platform: im.Platform(b[5]),
		Inst:     im.InstID(binary.BigEndian.Uint32(b[6:])),
		Issued:   int64(binary.BigEndian.Uint64(b[10:])),
		Opened:   int64(binary.BigEndian.Uint64(b[18:])),
		Expires:  int64(binary.BigEndian.Uint64(b[26:])),
		KeyID:    binary.BigEndian.Uint32(b[34:]),
		User:     im.UserID(b[a2Head:]),
	}
	return a, a.App != 0 && a.Platform < im.Platforms && a.Inst != 0 && a.User.Valid()
}
