package rest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

const info = "openconfigsvr/getappinfo"

func TestRE13_FiguresOfTheDays(t *testing.T) {
	bubble(t, func(t *testing.T, s *testkit.Server) {
		figures := func(body string) []map[string]string {
			t.Helper()
			var answer struct{ Result []map[string]string }
			must(t, s, info, body, &answer)
			return answer.Result
		}
		alice := s.Login("alice")
		bob := s.Login("bob")
		alice.Must("im_open_status.wslogout", struct{}{})
		again := s.Login("alice")
		for _, c := range []*testkit.Client{alice, bob, again} {
			c.Close(1000)
		}
		must(t, s, importMany, `{"Accounts":["carol","dave"]}`, &struct{}{})
		s.RestartAfter(24 * time.Hour)
		must(t, s, remove, `{"DeleteItem":[{"UserID":"carol"}]}`, &struct{}{})
		s.Login("dave")
		first := map[string]string{
			"Date": "20000101", "AppId": "1400000001", "AppName": "dev",
			"RegistUserNumOneDay": "4", "RegistUserNumTotal": "4", "LoginTimes": "3", "MaxOnlineNum": "2",
		}
		second := map[string]string{
			"Date": "20000102", "AppId": "1400000001", "AppName": "dev",
			"RegistUserNumOneDay": "0", "RegistUserNumTotal": "3", "LoginTimes": "1", "MaxOnlineNum": "1",
		}
		for _, body := range []string{``, `{}`} {
			if diff := cmp.Diff([]map[string]string{second, first}, figures(body)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		}
		want := []map[string]string{{"Date": "20000102", "LoginTimes": "1"}, {"Date": "20000101", "LoginTimes": "3"}}
		if diff := cmp.Diff(want, figures(`{"RequestField":["LoginTimes","CallBackReq"]}`)); diff != "" {
			t.Errorf("one field (-want +got)\n%s", diff)
		}
		refused(t, s, info, `{"RequestField":"LoginTimes"}`, im.CodeInvalid)
	})
}

func TestRE14_AddressesForFirewalls(t *testing.T) {
	ask := func(s *testkit.Server, netType string) testkit.RESTAnswer {
		t.Helper()
		c := s.RESTCall("ConfigSvc/GetIPList", "")
		if netType != "" {
			c.Query.Set("nettype", netType)
		}
		return s.SendREST(c)
	}
	s := testkit.StartTCP(t)
	if a := ask(s, ""); !strings.Contains(a.Text, `"IPList":["127.0.0.1"]`) {
		t.Errorf("a server on loopback answers %s", a.Text)
	}
	s = testkit.Start(t, "rest.addresses=[192.0.2.1, 198.51.100.0/24]")
	for _, netType := range []string{"", "0", "6"} {
		if a := ask(s, netType); !strings.Contains(a.Text, `"IPList":["192.0.2.1","198.51.100.0/24"]`) {
			t.Errorf("nettype %s is answered %s", netType, a.Text)
		}
	}
	for _, netType := range []string{"7", "-1", "x"} {
		if a := ask(s, netType); a.ErrorCode != im.CodeInvalid {
			t.Errorf("nettype %s is answered %s", netType, a.Text)
		}
	}
}
