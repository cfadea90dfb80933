package main

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// testLedger is that of a worker with sessions 10 to 19 of 20, each watching two.
func testLedger(r rule) *ledger {
	l := newLedger(job{Config: config{Users: "u", Sessions: 20, Watch: 2}, First: 10, Count: 10})
	l.rule = r
	return l
}

// given is an item as a server sends it: the user's change of that number, made
// at the second of the same number and sent a millisecond later.
func given(user, general int, number uint32) string {
	text := ""
	if number > 0 {
		at := time.Duration(number) * time.Second
		text = string(appendStamp(nil, stamp{user: user, number: number, due: at, sent: at + time.Millisecond}))
	}
	return withText(user, general, text)
}

func withText(user, general int, text string) string {
	return fmt.Sprintf(`{"To_Account":"u%06d","Status":%d,"CustomStatus":%q,"Version":"9.1"}`,
		user, general, base64.StdEncoding.EncodeToString([]byte(text)))
}

// push tells session 18, which watches 19 and 0, what the items say.
func push(t *testing.T, l *ledger, into *traffic, items ...string) {
	t.Helper()
	err := scanPush(pushOf(items...), func(item statusItem) {
		l.told(listener{number: 18, since: time.Second, now: 5 * time.Second}, item, into)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestLedgerJudgesWhatIsPushed(t *testing.T) {
	foreign := given(3, 1, 1)
	for _, tt := range []struct {
		name  string
		rule  rule
		items []string
		want  traffic
	}{
		{"in order", strict, []string{given(0, 1, 1), given(19, 1, 1), given(18, 1, 1), given(0, 1, 2)}, traffic{}},
		{"over the first change", strict, []string{given(0, 1, 3)}, traffic{Overtaken: 2}},
		{"over one in between", strict, []string{given(0, 1, 1), given(0, 1, 3)}, traffic{Overtaken: 1}},
		{"falls", strict, []string{given(0, 1, 2), given(0, 1, 1)}, traffic{Overtaken: 1, Faults: faults{Order: 1}}},
		{"falls to none", strict, []string{given(0, 1, 1), given(0, 1, 0)}, traffic{Faults: faults{Order: 1}}},
		{"own falls", strict, []string{given(18, 1, 2), given(18, 1, 1)}, traffic{Overtaken: 1, Faults: faults{Order: 1}}},
		{"twice", strict, []string{given(0, 1, 1), given(0, 1, 1)}, traffic{Faults: faults{Repeats: 1}}},
		{"own twice", strict, []string{given(18, 1, 1), given(18, 1, 1)}, traffic{Faults: faults{Repeats: 1}}},
		{"online twice", strict, []string{given(0, 1, 0), given(0, 1, 0)}, traffic{Faults: faults{Repeats: 1}}},
		{"not watched", strict, []string{foreign}, traffic{Faults: faults{Foreign: 1}}},
		{"before the watched", strict, []string{given(17, 1, 1)}, traffic{Faults: faults{Foreign: 1}}},
		{"not of the run", strict, []string{given(20, 1, 1)}, traffic{Faults: faults{Foreign: 1}}},
		{"not of the generator", strict, []string{strings.Replace(foreign, "u0", "v0", 1)}, traffic{Faults: faults{Foreign: 1}}},
		{"offline", strict, []string{given(0, 2, 0)}, traffic{Faults: faults{FalseEdges: 1}}},
		{"unlogined and back", strict, []string{given(0, 3, 0), given(0, 1, 0)}, traffic{Faults: faults{FalseEdges: 1}}},
		{"own unlogined", strict, []string{given(18, 3, 0)}, traffic{Faults: faults{FalseEdges: 1}}},
		{"another's text", strict, []string{withText(0, 1, string(appendStamp(nil, stamp{user: 1, number: 1})))}, traffic{Faults: faults{Garbled: 1}}},
		{"no text of ours", strict, []string{withText(0, 1, "busy")}, traffic{Faults: faults{Garbled: 1}}},

		{"they come and go", comings, []string{given(0, 3, 0), given(0, 1, 0), given(0, 1, 0), given(0, 3, 0)}, traffic{}},
		{"a stranger comes", comings, []string{foreign}, traffic{Faults: faults{Foreign: 1}}},
		{"lists of an earlier run", anything, []string{foreign, given(0, 3, 0), withText(0, 1, "busy")}, traffic{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got traffic
			push(t, testLedger(tt.rule), &got, tt.items...)
			if got.Items != len(tt.items) || len(got.Examples) != got.Faults.total() {
				t.Errorf("%d items, examples %q", got.Items, got.Examples)
			}
			kept := cmpopts.IgnoreFields(traffic{}, "Items", "Due", "Sent", "Own", "Seconds", "Examples")
			if diff := cmp.Diff(got, tt.want, kept); diff != "" {
				t.Errorf("got, want:\n%s", diff)
			}
		})
	}
}

// TestLedgerTimesDeliveries counts from when a change was due and from when it was
// sent, own changes apart, and leaves out what was due before the socket was.
func TestLedgerTimesDeliveries(t *testing.T) {
	l := testLedger(strict)
	var got traffic
	push(t, l, &got, given(0, 1, 2), given(0, 1, 4), given(18, 1, 3))
	if got.Due.total() != 2 || got.Due.max != 3*time.Second || got.Sent.max != 3*time.Second-time.Millisecond {
		t.Errorf("due %+v, sent %+v", got.Due, got.Sent)
	}
	if got.Own.total() != 1 || got.Own.max != 2*time.Second || got.Seconds[5].total() != 2 {
		t.Errorf("own %+v, by second %+v", got.Own, got.Seconds)
	}
	var later traffic
	item := statusItem{user: []byte("u000019"), general: 1, custom: []byte(base64.StdEncoding.EncodeToString(
		appendStamp(nil, stamp{user: 19, number: 1, due: time.Second, sent: time.Second})))}
	l.told(listener{number: 18, since: 2 * time.Second, now: 3 * time.Second}, item, &later)
	if later.CaughtUp != 1 || later.Due.total() != 0 {
		t.Errorf("told at a return: %+v", later)
	}
}

// TestLedgerAllowsRepeatsAfterAReturn takes what had arrived once more on a new
// socket, and only once.
func TestLedgerAllowsRepeatsAfterAReturn(t *testing.T) {
	l := testLedger(strict)
	var got traffic
	push(t, l, &got, given(0, 1, 1))
	l.reopen(18)
	push(t, l, &got, given(0, 1, 1))
	if got.Retold != 1 || got.Faults != (faults{}) {
		t.Fatalf("told again: %+v", got)
	}
	push(t, l, &got, given(0, 1, 1))
	l.reopen(18)
	push(t, l, &got, given(0, 1, 0))
	if want := (faults{Repeats: 1, Order: 1}); got.Faults != want {
		t.Errorf("faults %+v, want %+v", got.Faults, want)
	}
}

func TestLedgerJudgesTheAnswerToAReturn(t *testing.T) {
	custom := func(user int, number uint32) string {
		return base64.StdEncoding.EncodeToString(appendStamp(nil, stamp{user: user, number: number}))
	}
	l := testLedger(strict)
	var got traffic
	l.returned(18, custom(18, 2), &got)
	push(t, l, &got, given(18, 1, 2))
	if got.Faults != (faults{}) || got.Retold != 1 {
		t.Fatalf("%+v", got)
	}
	l.returned(18, custom(18, 1), &got)
	l.returned(18, custom(17, 3), &got)
	l.returned(18, "", &got)
	if want := (faults{Order: 2, Garbled: 1}); got.Faults != want {
		t.Errorf("faults %+v, want %+v", got.Faults, want)
	}
}

// TestLedgerFindsWhatWasLost compares with the last change of everyone.
func TestLedgerFindsWhatWasLost(t *testing.T) {
	expect := make([]uint32, 20)
	expect[18], expect[19], expect[0] = 1, 2, 0
	for _, tt := range []struct {
		name  string
		items []string
		last  uint32 // of user 19
		want  int
	}{
		{"all told", []string{given(18, 1, 1), given(19, 1, 2)}, 2, 0},
		{"the last is missing", []string{given(18, 1, 1), given(19, 1, 1)}, 2, 1},
		{"own is missing", []string{given(19, 1, 2)}, 2, 1},
		{"nothing told", nil, 2, 2},
		{"shown as gone", []string{given(18, 1, 1), given(19, 1, 2), given(0, 2, 0)}, 2, 1},
		{"the sender failed", []string{given(18, 1, 1), given(19, 1, 1)}, unsure, 0},
		{"more than acknowledged", []string{given(18, 1, 1), given(19, 1, 3)}, 2, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, expect := testLedger(strict), append([]uint32(nil), expect...)
			expect[19] = tt.last
			var told, got traffic
			push(t, l, &told, tt.items...)
			if behind := l.behind(18, expect); behind != (tt.want > 0) {
				t.Errorf("behind: %v", behind)
			}
			l.close(18, expect, &got)
			if got.Faults != (faults{Lost: tt.want}) {
				t.Errorf("faults %+v, want %d lost", got.Faults, tt.want)
			}
		})
	}
}

func TestLedgerJudgesViews(t *testing.T) {
	expect := make([]uint32, 20)
	expect[18], expect[19], expect[0] = 0, 2, unsure
	for _, tt := range []struct {
		name  string
		items []string
		want  int
	}{
		{"right", []string{given(18, 1, 0), given(19, 1, 2), given(0, 3, 0)}, 0},
		{"an older one", []string{given(18, 1, 0), given(19, 1, 1)}, 1},
		{"none", []string{given(18, 1, 0), given(19, 1, 0)}, 1},
		{"gone", []string{given(18, 3, 0), given(19, 2, 2)}, 2},
		{"left out", []string{given(18, 1, 0)}, 1},
		{"a stranger", []string{given(18, 1, 0), given(19, 1, 2), given(7, 1, 0)}, 1},
		{"garbled", []string{given(18, 1, 0), withText(19, 1, "busy")}, 1},
		{"another's", []string{given(18, 1, 0), withText(19, 1, string(appendStamp(nil, stamp{user: 18, number: 2})))}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var items []statusItem
			if err := scanPush(pushOf(tt.items...), func(item statusItem) { items = append(items, item) }); err != nil {
				t.Fatal(err)
			}
			var got traffic
			testLedger(strict).viewed(18, items, expect, &got)
			if got.Faults != (faults{Views: tt.want}) {
				t.Errorf("faults %+v, want %d wrong views", got.Faults, tt.want)
			}
		})
	}
}

func TestFaultsAreDescribedAFewTimes(t *testing.T) {
	var got traffic
	l := testLedger(strict)
	for range 100 {
		push(t, l, &got, given(3, 1, 1))
	}
	if got.Faults.Foreign != 100 || len(got.Examples) != maxExamples || !strings.Contains(got.Examples[0], "u000003") {
		t.Errorf("%d faults, examples %q", got.Faults.Foreign, got.Examples)
	}
}

func TestStamp(t *testing.T) {
	for _, st := range []stamp{
		{user: 0, number: 1},
		{user: 999_999, number: numberMask, due: 24 * time.Hour, sent: 24*time.Hour + time.Microsecond},
		{user: 7, number: 12, due: 1500 * time.Millisecond, sent: 1501 * time.Millisecond},
	} {
		text := appendStamp(nil, st)
		got, ok := readStamp([]byte(base64.StdEncoding.EncodeToString(text)))
		if !ok || got != st || len(text) > 40 {
			t.Errorf("%+v became %q and %+v, %v", st, text, got, ok)
		}
	}
	if st, ok := readStamp(nil); !ok || st.number != 0 {
		t.Errorf("no custom status is %+v, %v", st, ok)
	}
	for _, text := range []string{"busy", "1.2.3", "1.2.3.4.5", "1.2.3.", "1.2.!.4", "1..3.4", strings.Repeat("1", 200)} {
		if st, ok := readStamp([]byte(base64.StdEncoding.EncodeToString([]byte(text)))); ok {
			t.Errorf("%q was read as %+v", text, st)
		}
	}
	if _, ok := readStamp([]byte("1.2.3.4")); ok {
		t.Error("a text that is not base64 was read")
	}
}
