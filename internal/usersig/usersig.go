// Package usersig mints and verifies what users log in with: the UserSig (the
// TLSSigAPIv2 token that an application's back end signs with a secret key) and
// the A2Key (the token of a session, signed by this server).
//
// It promises that [Verify] accepts a token if and only if every rule in its
// comment holds, that the work and the memory a token costs are bounded by its
// length and by the limits in [Want], and that no error or panic of it holds a
// token, a part of one, or a key. It knows nothing of revocation, bans or rate
// limits and keeps no state: who must not log in with a good token is for its
// caller to say.
package usersig

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"math"
	"strconv"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Sig is what a UserSig says.
type Sig struct {
	App     im.AppID
	User    im.UserID
	Issued  int64  // Unix seconds
	Expires int64  // Unix seconds, the last one it is good in; may be as large as math.MaxInt64
	UserBuf []byte // nil for none; opaque here, and part of what is signed
	KeyID   uint32 // set by Verify: the key that the signature was made with
}

// Want is what a UserSig is verified against.
type Want struct {
	App         im.AppID
	User        im.UserID
	Keys        []im.AppKey // all keys of the application
	Now         time.Time
	Skew        time.Duration // how far ahead of Now a token may be dated
	MaxLife     time.Duration // longest lifetime accepted, 0 for no cap
	MaxEncoded  int           // bytes of a token, 0 for im.MaxTokenBytes
	MaxInflated int           // bytes of its inflated document, 0 for im.MaxTokenInflated
}

// Mint makes the UserSig of a user, good from issued for expire, both in whole
// seconds. The same arguments give the same token, for ever. Every TLSSigAPIv2
// library can read it.
func Mint(app im.AppID, user im.UserID, secret string, issued time.Time, expire time.Duration) (string, error) {
	sec := issued.Unix()
	return Sig{App: app, User: user, Issued: sec, Expires: sec + int64(expire/time.Second)}.Mint(secret)
}

// Mint makes the UserSig that says what s does; KeyID is not part of it, and
// an empty UserBuf is none. It refuses what [Verify] never accepts.
func (s Sig) Mint(secret string) (string, error) {
	switch {
	case s.App == 0:
		return "", im.Errorf(im.CodeInvalid, "a UserSig needs an SDKAppID; give the application's")
	case !s.User.Valid():
		return "", im.Err(im.CodeInvalidUserID)
	case secret == "":
		return "", im.Errorf(im.CodeInvalid, "a UserSig needs a secret key; give the application's")
	case s.Issued < 0 || s.Expires <= s.Issued:
		return "", im.Errorf(im.CodeInvalid, "a UserSig lives for at least one second from 1970 on; give a later expiry")
	}
	c := claims{user: string(s.User), app: int64(s.App), time: s.Issued, expire: s.Expires - s.Issued}
	if len(s.UserBuf) > 0 {
		c.userBuf = s.UserBuf
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(c.appendSigned(nil))
	mac.Sum(c.mac[:0])
	doc := c.appendDocument(nil)
	if len(doc) > maxMinted {
		return "", im.Errorf(im.CodeInvalid, "the userbuf makes the UserSig too long; shorten it")
	}
	return pack(doc), nil
}

// Verify accepts a token if and only if
//
//   - it and its inflated document are within their limits;
//   - it is the canonical form of the base64 variant, of a zlib stream with its
//     checksum and nothing after it, of one strict JSON object (no duplicate
//     names, valid UTF-8, exact case) with the members it must have, of the
//     right types, and any others;
//   - its version is 2.0, its SDKAppID is want.App, its identifier is
//     want.User and a valid one;
//   - its HMAC is right under one active key of want.Keys;
//   - 0 < expire ≤ want.MaxLife and 0 ≤ time ≤ now + want.Skew, and now ≤
//     time + expire, which does not overflow.
//
// The rules are checked in this order. A UserSig with a userbuf is as good as
// one without, since the HMAC covers it. Every error is an [im.Error].
func Verify(token string, want Want) (Sig, error) {
	c, err := decode(token, want)
	if err != nil {
		return Sig{}, err
	}
	switch {
	case c.app != int64(want.App):
		return Sig{}, im.Err(im.CodeSigOtherApp)
	case c.user != string(want.User):
		return Sig{}, im.Err(im.CodeSigOtherUser)
	case !want.User.Valid():
		return Sig{}, im.Err(im.CodeInvalidUserID)
	}
	key, err := c.signer(want)
	if err != nil {
		return Sig{}, err
	}
	if err := c.checkTimes(want); err != nil {
		return Sig{}, err
	}
	return Sig{
		App: want.App, User: want.User, Issued: c.time, Expires: c.time + c.expire,
		UserBuf: c.userBuf, KeyID: key,
	}, nil
}

// claims is a UserSig's document, its types and ranges checked and nothing else.
type claims struct {
	version string
	user    string
	app     int64 // -1 while it is missing, as is time
	time    int64
	expire  int64  // 0 while it is missing
	userBuf []byte // nil while it is missing
	signed  bool   // whether mac is set
	mac     [sha256.Size]byte
}

// appendSigned appends the text that the HMAC covers.
func (c *claims) appendSigned(b []byte) []byte {
	b = append(b, "TLS.identifier:"...)
	b = append(b, c.user...)
	b = append(b, "\nTLS.sdkappid:"...)
	b = strconv.AppendInt(b, c.app, 10)
	b = append(b, "\nTLS.time:"...)
	b = strconv.AppendInt(b, c.time, 10)
	b = append(b, "\nTLS.expire:"...)
	b = strconv.AppendInt(b, c.expire, 10)
	b = append(b, '\n')
	if c.userBuf != nil {
		b = append(b, "TLS.userbuf:"...)
		b = base64.StdEncoding.AppendEncode(b, c.userBuf)
		b = append(b, '\n')
	}
	return b
}

// signer gives the active key that the claims were signed with.
func (c *claims) signer(want Want) (uint32, error) {
	now, active := want.Now.Unix(), false
	var signed []byte
	for i := range want.Keys {
		k := &want.Keys[i]
		if !verifies(k, now) {
			continue
		}
		if !active {
			active, signed = true, c.appendSigned(make([]byte, 0, 256))
		}
		var sum [sha256.Size]byte
		mac := hmac.New(sha256.New, []byte(k.Secret))
		mac.Write(signed)
		if hmac.Equal(mac.Sum(sum[:0]), c.mac[:]) {
			return k.ID, nil
		}
	}
	if !active {
		return 0, im.Err(im.CodeNoKey)
	}
	return 0, im.Err(im.CodeSigMismatch)
}

// verifies reports whether a key is active. One without a secret never is:
// anybody could sign with it.
func verifies(k *im.AppKey, now int64) bool {
	return !k.Withdrawn && k.Secret != "" &&
		(k.NotBefore == 0 || k.NotBefore <= now) && (k.NotAfter == 0 || now <= k.NotAfter)
}

// checkTimes checks signed times against the clock.
func (c *claims) checkTimes(want Want) error {
	now := want.Now.Unix()
	skew, life := int64(max(want.Skew, 0)/time.Second), int64(want.MaxLife/time.Second)
	switch {
	case want.MaxLife > 0 && c.expire > life:
		return malformed("its lifetime is longer than this server allows; mint it with a shorter expire")
	case c.time-skew > now:
		// A token dated ahead would survive every revocation until that date.
		return malformed("it is dated in the future: the clock of the issuing server is ahead; set that clock and mint a new one")
	case c.time+c.expire < now:
		return im.Err(im.CodeSigExpired)
	}
	return nil
}

// inRange reports whether the times are what a UserSig may hold at any time.
func (c *claims) inRange() bool {
	return c.time >= 0 && c.expire > 0 && c.expire <= math.MaxInt64-c.time
}

// malformed gives the refusal of a token, with what is wrong with it and what to do.
func malformed(why string) error {
	return im.Errorf(im.CodeSigMalformed, "the UserSig cannot be used: %s", why)
}
