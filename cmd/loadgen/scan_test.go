package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// scanned gives what scanPush finds, in words.
func scanned(text string) (found []string, err error) {
	err = scanPush([]byte(text), func(i statusItem) {
		found = append(found, fmt.Sprintf("%s %d %s", i.user, i.general, i.custom))
	})
	return found, err
}

func TestScanPush(t *testing.T) {
	const a, b = `{"To_Account":"a","Status":1,"CustomStatus":"QQ==","Version":"1.2"}`, `{"To_Account":"b","Status":3,"CustomStatus":""}`
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"one", `{"head":{"seq":0},"body":{"EventArray":[{"Event":22,"UserStatusList":[` + a + `]}]}}`, []string{"a 1 QQ=="}},
		{"several", `{"body":{"EventArray":[{"UserStatusList":[` + a + `,` + b + `],"Event":22}]},"head":{}}`, []string{"a 1 QQ==", "b 3 "}},
		{"several lists", `{"body":{"EventArray":[{"UserStatusList":[` + a + `]},{"UserStatusList":[` + b + `]}]}}`, []string{"a 1 QQ==", "b 3 "}},
		{"other order, space", " { \"body\" : {\n\"EventArray\" : [ { \"UserStatusList\" : [ {\"Status\" : 2 , \"To_Account\" : \"a\" } ] } ] } } \r\n\t", []string{"a 2 "}},
		{"what nobody asks for", `{"x":[{"y":"}]\"{"},null,-1.5e3,[[]],{}],"body":{"NeedAck":true,"EventArray":[{"Other":{"UserStatusList":[1]},"UserStatusList":[` + a + `]}]}}`, []string{"a 1 QQ=="}},
		{"escapes", `{"body":{"EventArray":[{"UserStatusList":[{"To_Account":"a\u0062","Status":1,"CustomStatus":"\/w=="}]}]}}`, []string{"ab 1 /w=="}},
		{"an empty list", `{"body":{"EventArray":[{"Event":22,"UserStatusList":[]}]}}`, nil},
		{"no list", `{"head":{},"body":{"EventArray":[]}}`, nil},
		{"a kick", `{"body":{"EventArray":[{"Event":10,"C2cNotifyMsgArray":[{"KickoutMsgNotify":{"KickType":1}}]}]}}`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := scanned(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got, tt.want); diff != "" {
				t.Errorf("got, want:\n%s", diff)
			}
		})
	}
	whole := string(pushOf(a, b))
	for cut := range whole {
		if _, err := scanned(whole[:cut]); err == nil {
			t.Fatalf("the first %d bytes were taken for a push", cut)
		}
	}
	for _, bad := range []string{
		whole + "x", whole + "{}", "[]", "null", `{"body":[]}`, `{"body":{"EventArray":{}}}`, `{"body":{"EventArray":[{"UserStatusList":null}]}}`,
		string(pushOf(`"a"`)), string(pushOf(`{}`)), string(pushOf(`{"Status":1}`)), string(pushOf(`{"To_Account":1}`)),
		string(pushOf(`{"To_Account":"a","Status":"1"}`)), string(pushOf(`{"To_Account":"a","Status":1.5}`)), string(pushOf(a + `,`)),
		string(pushOf(`{"To_Account":"a" "Status":1}`)), string(pushOf(`{"To_Account":"\q"}`)),
	} {
		if found, err := scanned(bad); err == nil {
			t.Errorf("%s was taken for a push of %q", bad, found)
		}
	}
}

func TestScanPushTakesAsManyAsComeAtOnce(t *testing.T) {
	var items []string
	for i := range 100 {
		items = append(items, given(i, 1, uint32(i)))
	}
	found, err := scanned(string(pushOf(items...)))
	if err != nil || len(found) != 100 || !strings.HasPrefix(found[99], "u000099 1 ") {
		t.Errorf("%d items, %v", len(found), err)
	}
}

func FuzzScanPush(f *testing.F) {
	f.Add(pushOf(given(1, 1, 1), given(2, 3, 0)))
	f.Add([]byte(`{"body":{"EventArray":[{"UserStatusList":[{"To_Account":"\u0061","Status":-1,"x":[{}]}]}]}}`))
	f.Add([]byte(`{"head":"\`))
	f.Fuzz(func(t *testing.T, text []byte) {
		found := 0
		err := scanPush(text, func(item statusItem) {
			found++
			readStamp(item.custom)
		})
		if err == nil && found > len(text)/len(`{"To_Account":""}`) {
			t.Errorf("%d items in %q", found, text)
		}
	})
}

func BenchmarkScanPush(b *testing.B) {
	l := testLedger(anything)
	text := pushOf(given(0, 1, 1))
	var t traffic
	b.ReportAllocs()
	for b.Loop() {
		_ = scanPush(text, func(item statusItem) { l.told(listener{number: 18}, item, &t) })
	}
}
