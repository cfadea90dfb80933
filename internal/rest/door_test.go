package rest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-im/porchlight/internal/account"
	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/rest"
	"github.com/porchlight-im/porchlight/internal/usersig"
)

// nobody is a store in which nobody has an account, and one application.
type nobody struct{ row im.AppRow }

func (n nobody) Apps(context.Context) ([]im.AppRow, error) { return []im.AppRow{n.row}, nil }

func (nobody) Accounts(context.Context, im.AppID, []im.UserID) (map[im.UserID]int64, error) {
	return nil, nil
}

func (nobody) Standing(context.Context, im.UserKey) (im.Standing, error) { return im.Standing{}, nil }

func (nobody) Revoke(context.Context, im.Order) error { return nil }

// Import keeps nobody out.
func (nobody) Import(context.Context, im.Import) ([]im.UserID, error) { return nil, nil }

// run has an API carry out f as its one command, and gives the answer and the
// log.
func run(t *testing.T, set rest.Settings, body string, f func(context.Context) error) (answer, log string) {
	t.Helper()
	row := im.AppRow{ID: 7, Enabled: true, Admins: []im.UserID{"root"}, Keys: []im.AppKey{{ID: 1, Secret: "secret"}}}
	apps, err := app.Load(t.Context(), nobody{row})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	api := rest.NewForTest(rest.Config{
		Apps: apps, Accounts: account.New(nobody{}), Settings: set, Log: slog.New(slog.NewTextHandler(&text, nil)),
	}, f)
	sig, err := usersig.Mint(7, "root", "secret", time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	path := "/v4/test/run?sdkappid=7&identifier=root&contenttype=json&usersig=" + sig
	rec := httptest.NewRecorder()
	api.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body)))
	return rec.Body.String(), text.String()
}

func code(c im.Code) string { return fmt.Sprintf(`"ErrorCode":%d,`, c) }

func TestRE6_MessagesHaveALimitOfTheirOwn(t *testing.T) {
	done := func(context.Context) error { return nil }
	for size, want := range map[int]im.Code{12 << 10: 0, 12<<10 + 1: im.CodeTooLong} {
		if got, _ := run(t, rest.Settings{}, "{"+strings.Repeat(" ", size-2)+"}", done); !strings.Contains(got, code(want)) {
			t.Errorf("a body of %d bytes is answered %s", size, got)
		}
	}
	if got, _ := run(t, rest.Settings{}, "", done); !strings.Contains(got, code(0)) {
		t.Errorf("an empty body is answered %s", got)
	}
}

func TestRE11_CommandsEndInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		got, log := run(t, rest.Settings{}, "", func(ctx context.Context) error {
			<-ctx.Done()
			return fmt.Errorf("wait for the store: %w", ctx.Err())
		})
		if took := time.Since(began); !strings.Contains(got, code(im.CodeTimeout)) || took != 3*time.Second {
			t.Errorf("after %s the answer is %s", took, got)
		}
		if !strings.Contains(log, "wait for the store") {
			t.Errorf("the log says %s", log)
		}
	})
}

// TestRE1_MistakesOfTheServerAreLoggedAndNotTold has a command fail in the ways
// that its caller can do nothing about.
func TestRE1_MistakesOfTheServerAreLoggedAndNotTold(t *testing.T) {
	for name, f := range map[string]func(context.Context) error{
		"error": func(context.Context) error { return errors.New("disk is full at /private") },
		"panic": func(context.Context) error { panic("disk is full at /private") },
	} {
		got, log := run(t, rest.Settings{}, "", f)
		if !strings.Contains(got, code(im.CodeInternal)) || strings.Contains(got, "private") || !strings.Contains(log, "private") {
			t.Errorf("%s: the answer is %s, and the log %s", name, got, log)
		}
	}
}
