package im_test

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/porchlight-im/porchlight/internal/im"
)

func TestUserIDsThatMayNameAUser(t *testing.T) {
	for id, want := range map[im.UserID]bool{
		"":                                  false,
		"a":                                 true,
		"0":                                 true,
		"alice":                             true,
		"Alice":                             true,
		"null":                              true,
		"@TLS#NOT_FOUND":                    true,
		"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}": true,
		"~":                                 true,
		"..":                                true,
		im.UserID(strings.Repeat("x", 32)):  true,
		im.UserID(strings.Repeat("x", 33)):  false,
		im.UserID(strings.Repeat("é", 16)):  false,
		" ":                                 false,
		" alice":                            false,
		"alice ":                            false,
		"al ice":                            false,
		"alice\n":                           false,
		"alice\x00":                         false,
		"\x1f":                              false,
		"\x7f":                              false,
		"é":                                 false,
		"\xff":                              false,
		"\u00a0":                            false,
	} {
		if got := id.Valid(); got != want {
			t.Errorf("%q.Valid() = %v, want %v", id, got, want)
		}
	}
}

// TestUserIDIsJudgedByteByByte: an ID is good if and only if each of its bytes
// is, and there are 1 to 32 of them.
func TestUserIDIsJudgedByteByByte(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.OneOf(rapid.SliceOfN(rapid.ByteRange(0x21, 0x7e), 0, 40), rapid.SliceOfN(rapid.Byte(), 0, 4)).Draw(t, "id")
		want := len(b) >= 1 && len(b) <= 32
		for _, c := range b {
			want = want && c > ' ' && c < 0x7f
		}
		if got := im.UserID(b).Valid(); got != want {
			t.Fatalf("%q.Valid() = %v, want %v", b, got, want)
		}
	})
}

func TestVersionsAreOrderedByEpochThenSequence(t *testing.T) {
	ordered := []im.Version{
		{},
		{Seq: 1},
		{Seq: math.MaxUint64},
		{Epoch: 1},
		{Epoch: 1, Seq: 2},
		{Epoch: 2, Seq: 1},
		{Epoch: 1 << 32, Seq: 0},
		{Epoch: math.MaxUint64},
		{Epoch: math.MaxUint64, Seq: math.MaxUint64},
	}
	for i, v := range ordered {
		for j, w := range ordered {
			if got := v.Less(w); got != (i < j) {
				t.Errorf("%v.Less(%v) = %v", v, w, got)
			}
		}
	}
}

func TestPoliciesAreReadByTheirNames(t *testing.T) {
	for name, want := range map[string]im.Policy{
		"dual": im.PolicyDual, "single": im.PolicySingle, "triple": im.PolicyTriple, "multi": im.PolicyMulti,
	} {
		if got, ok := im.ParsePolicy(name); !ok || got != want {
			t.Errorf("ParsePolicy(%q) = %v, %v", name, got, ok)
		}
		if got := want.String(); got != name {
			t.Errorf("%d.String() = %q, want %q", want, got, name)
		}
	}
	for _, name := range []string{"", "Dual", "DUAL", " dual", "dual ", "policy0", "0", "multiple", "policy4"} {
		if got, ok := im.ParsePolicy(name); ok {
			t.Errorf("ParsePolicy(%q) = %v", name, got)
		}
	}
	if got := im.Policy(4).String(); got != "policy4" {
		t.Errorf("a policy that is none is called %q", got)
	}
	if got := im.Policy(0); got != im.PolicyDual {
		t.Errorf("the zero policy is %s, want the original's default, dual", got)
	}
}

// TestNamesOfEnumerations holds the numbers, which are stored or sent, to their
// names.
func TestNamesOfEnumerations(t *testing.T) {
	for i, want := range []string{"web", "android", "iphone", "ipad", "mac", "windows", "linux", "platform7"} {
		if got := im.Platform(i).String(); got != want {
			t.Errorf("platform %d is %q, want %q", i, got, want)
		}
	}
	causes := []string{"none", "logout", "close", "break", "silence", "kick_same", "kick_other", "kick_admin", "expiry", "node", "cause10"}
	for i, want := range causes {
		if got := im.Cause(i).String(); got != want {
			t.Errorf("cause %d is %q, want %q", i, got, want)
		}
	}
	for i, want := range []string{"UNKNOWN", "ONLINE", "OFFLINE", "UNLOGINED", "UNKNOWN"} {
		if got := im.General(i).String(); got != want {
			t.Errorf("general status %d is %q, want %q", i, got, want)
		}
	}
	if got := im.AppID(math.MaxUint32).String(); got != "4294967295" {
		t.Errorf("the largest application is %s", got)
	}
}

func TestST1_PushReachesMobilesAndMacs(t *testing.T) {
	push := map[im.Platform]bool{im.Android: true, im.IPhone: true, im.IPad: true, im.Mac: true}
	for p := range im.Platform(im.Platforms + 1) {
		if got := p.HasPush(); got != push[p] {
			t.Errorf("%s.HasPush() = %v", p, got)
		}
	}
}

func TestCausesThatEndASession(t *testing.T) {
	ends := map[im.Cause]bool{
		im.CauseLogout: true, im.CauseKickSame: true, im.CauseKickOther: true, im.CauseKickAdmin: true, im.CauseExpiry: true,
	}
	for c := im.CauseNone; c <= im.CauseNode+1; c++ {
		if got := c.Ends(); got != ends[c] {
			t.Errorf("%s.Ends() = %v", c, got)
		}
	}
}
