package server_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/testkit"
)

// operate asks the operator's API of a server and reads the answer.
func operate(t *testing.T, s *testkit.Server, line, body string, into any) {
	t.Helper()
	method, path, _ := strings.Cut(line, " ")
	req, err := http.NewRequestWithContext(t.Context(), method, s.Dev.URL+"/admin/v1"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.Dev.OperatorToken)
	resp, err := s.HTTP().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode > 299 {
		t.Fatalf("%s: %d %s, %v", line, resp.StatusCode, text, err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %s: %v", line, text, err)
	}
}

func TestApplicationIsMadeWhileTheServerRuns(t *testing.T) {
	s := testkit.StartTCP(t)
	dev := s.Login("alice")
	var made struct {
		ID   im.AppID
		Keys []struct{ Secret string }
	}
	operate(t, s, "POST /apps", `{"name":"shop"}`, &made)
	secret := made.Keys[0].Secret
	use := func() { // the application, not that of -dev
		s.Dev.SDKAppID, s.Dev.SecretKey = made.ID, secret
	}
	use()
	s.Login("alice")
	dev.Must("heartbeat.alive", struct{}{})
	var second struct {
		ID     int
		Secret string
	}
	operate(t, s, "POST /apps/"+made.ID.String()+"/keys", "", &second)
	operate(t, s, "POST /apps/"+made.ID.String()+"/keys/1/withdraw", "", &struct{}{})
	if a := s.Connect("bob").TryLogin(s.UserSig("bob")); a.Code != int(im.CodeSigMismatch) {
		t.Errorf("a UserSig of a withdrawn key: %d %s", a.Code, a.Info)
	}
	secret = second.Secret
	s.Restart()
	use()
	s.Login("alice")
	operate(t, s, "PATCH /apps/"+made.ID.String(), `{"enabled":false}`, &struct{}{})
	if a := s.Connect("bob").TryLogin(s.UserSig("bob")); a.Code != int(im.CodeAppDisabled) {
		t.Errorf("a login to a disabled application: %d %s", a.Code, a.Info)
	}
	var page struct{ Rows []struct{ Action string } }
	operate(t, s, "GET /audit?app="+made.ID.String(), "", &page)
	var actions []string
	for _, row := range page.Rows {
		actions = append(actions, row.Action)
	}
	if got := strings.Join(actions, " "); got != "app.change key.withdraw key.add app.create" {
		t.Errorf("the audit says %s", got)
	}
	for _, text := range []string{made.Keys[0].Secret, second.Secret} {
		if strings.Contains(s.Log(), text) {
			t.Error("a secret is in the log")
		}
	}
}

func TestOperatorsAPIIsOnTheOperatorsListenerIfThereIsOne(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	_ = free.Close() // so that the server can take it
	apart, together := testkit.StartTCP(t, "operator.listen="+address), testkit.StartTCP(t)
	for url, want := range map[string]int{together.Dev.URL: 200, apart.Dev.URL: 404, "http://" + address: 200} {
		token := together.Dev.OperatorToken
		if url != together.Dev.URL {
			token = apart.Dev.OperatorToken
		}
		if code, body := get(t, url+"/admin/v1/apps", token); code != want {
			t.Errorf("%s: %d %s, want %d", url, code, body, want)
		}
		if code, _ := get(t, url+"/admin/v1/apps", ""); code != 401 && want == 200 {
			t.Errorf("%s without the token: %d", url, code)
		}
	}
}
