package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/porchlight-im/porchlight/internal/testkit"
)

// runREST runs the command against a server, and gives its report.
func runREST(t *testing.T, s *testkit.Server, args ...string) (rep restReport, code int, said string) {
	t.Helper()
	t.Setenv(secretEnv, s.Dev.SecretKey)
	var out, errs bytes.Buffer
	args = append([]string{"-server", s.Dev.WS, "-appid", s.Dev.SDKAppID.String(), "-json"}, args...)
	code = run(t.Context(), args, strings.NewReader(""), &out, &errs)
	if out.Len() > 0 {
		if err := json.Unmarshal(out.Bytes(), &rep); err != nil {
			t.Fatalf("the report is not JSON: %v\n%s", err, out.String())
		}
	}
	return rep, code, errs.String()
}

func TestRESTAgainstTheServer(t *testing.T) {
	s := testkit.StartTCP(t)
	for _, args := range [][]string{
		{"-rest", restQuery, "-accounts", "50", "-n", "250", "-inflight", "3", "-for", "300ms", "-pid", strconv.Itoa(os.Getpid())},
		{"-rest", restCheck, "-n", "1", "-rate", "50", "-for", "300ms"},
	} {
		rep, code, said := runREST(t, s, args...)
		if code != 0 || !rep.Good || rep.Requests == 0 || rep.Took.Count != rep.Requests || rep.Codes["0"] != rep.Requests {
			t.Errorf("%s: code %d, report %+v, said %s", args, code, rep, said)
		}
	}
	s.Dev.SecretKey = "another key"
	if _, code, said := runREST(t, s, "-rest", restQuery, "-n", "1", "-for", "1s"); code != 1 || !strings.Contains(said, "70009") {
		t.Errorf("with a wrong key: code %d, said %s", code, said)
	}
	for _, args := range [][]string{
		{"-rest", "openim/sendmsg"},
		{"-rest", restQuery, "-accounts", "501"},
		{"-rest", restCheck, "-accounts", "2"},
		{"-rest", restQuery, "-for", "0s"},
		{"-rest", restQuery, "-inflight", "1001"},
	} {
		if _, code, _ := runREST(t, s, args...); code != 2 {
			t.Errorf("%s: code %d, want 2", args, code)
		}
	}
}

func TestRESTReportIsReadable(t *testing.T) {
	var text strings.Builder
	rep := restReport{Command: restQuery, Accounts: 9, Asked: 1, Conns: 2, Requests: 30, Seconds: 3, PerSecond: 10, ServerCPU: 5, Codes: map[string]int64{"0": 30}}
	if err := rep.writeText(&text); err != nil || !strings.Contains(text.String(), "30 requests in 3.0 s, 10 a second") || !strings.Contains(text.String(), "5 µs for each") {
		t.Errorf("%q, %v", text.String(), err)
	}
}
