package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"
)

// sign gives the signature of a request by its application's token. It does not
// cover the body.
func sign(token string, at time.Time) string {
	sum := sha256.Sum256([]byte(token + strconv.FormatInt(at.Unix(), 10)))
	return hex.EncodeToString(sum[:])
}

// signBody gives the MAC over an event's ID, the second of its sending and its
// body.
func signBody(token, id string, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}
