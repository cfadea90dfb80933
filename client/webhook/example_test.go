package webhook_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/porchlight-im/porchlight/client/webhook"
)

// A back end that keeps who is there.
func ExampleReceiver() {
	http.Handle("POST /im", &webhook.Receiver{
		AppID: 1400000001,
		Token: "tok-51f0",
		Handle: func(_ *http.Request, e *webhook.Event) (webhook.Answer, error) {
			if e.Command != "State.StateChange" {
				return webhook.Answer{}, nil
			}
			s, err := e.StateChange()
			fmt.Println(s.Info.UserID, s.Info.Action)
			return webhook.Answer{}, err
		},
	})
	query := url.Values{
		"SdkAppid": {"1400000001"}, "CallbackCommand": {"State.StateChange"},
		"RequestTime": {fmt.Sprint(time.Now().Unix())}, "Sign": {webhook.Sign("tok-51f0", time.Now().Unix())},
	}
	body := `{"CallbackCommand":"State.StateChange","Info":{"Action":"Login","To_Account":"mira","Reason":"Register"}}`
	w := httptest.NewRecorder()
	http.DefaultServeMux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/im?"+query.Encode(), strings.NewReader(body)))
	fmt.Print(w.Body)
	// Output:
	// mira Login
	// {"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":""}
}

// A signature by itself, for a back end with a router of its own.
func ExampleVerify() {
	query := url.Values{
		"RequestTime": {"1700000000"},
		"Sign":        {"31f59cfb324544423b3944dd76317dedf2c294530d9d70b9b03a0c7e153e5bf9"},
	}
	fmt.Println(webhook.Verify("tok-51f0", query, time.Unix(1700000000, 0)))
	fmt.Println(webhook.Verify("tok-51f0", query, time.Unix(1700009999, 0)))
	// Output:
	// <nil>
	// the request is too old, or from the future
}
