package rest_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-im/porchlight/internal/account"
	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/rest"
	"github.com/porchlight-im/porchlight/internal/status"
	"github.com/porchlight-im/porchlight/internal/store"
	"github.com/porchlight-im/porchlight/internal/usersig"
	"github.com/porchlight-im/porchlight/internal/wire"
)

// BenchmarkQuery asks for the status of one and of 500 of 100,000 accounts, as
// far as the server's own part goes: no socket.
func BenchmarkQuery(b *testing.B) {
	const users = 100_000
	st, err := store.Open(b.Context(), store.Config{Path: filepath.Join(b.TempDir(), "bench.db")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = st.Close() })
	row := im.AppRow{ID: 7, Enabled: true, Admins: []im.UserID{"root"}, Keys: []im.AppKey{{ID: 1, Secret: "secret"}}}
	if err := st.CreateApp(b.Context(), row); err != nil {
		b.Fatal(err)
	}
	apps, err := app.Load(b.Context(), st)
	if err != nil {
		b.Fatal(err)
	}
	accounts := account.New(st)
	names := make([]im.UserID, users)
	for at := range names {
		names[at] = im.UserID(fmt.Sprintf("someone_in_particular_%06d", at))
	}
	for part := range slices.Chunk(names, 1000) {
		rows := make([]im.ImportRow, len(part))
		for i, name := range part {
			rows[i].User = name
		}
		if _, err := accounts.Import(b.Context(), im.Import{App: 7, Accounts: rows}); err != nil {
			b.Fatal(err)
		}
	}
	log := slog.New(slog.DiscardHandler)
	engine := status.New(status.Config{
		Store: st, Lists: st, Orders: accounts, Accounts: accounts, Encode: wire.Encode, Rules: status.DefaultRules(), Epoch: 1, Log: log,
	})
	api := rest.New(rest.Config{Apps: apps, Accounts: accounts, Status: engine, Log: log})
	sig, err := usersig.Mint(7, "root", "secret", time.Now(), time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	path := "/v4/openim/query_online_status?sdkappid=7&identifier=root&contenttype=json&usersig=" + sig
	for _, n := range []int{1, 500} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var took []time.Duration
			for i := 0; b.Loop(); i++ {
				at := i * n % users
				body := fmt.Sprintf(`{"To_Account":["%s"],"IsNeedDetail":1}`, join(names[at:at+n]))
				req := httptest.NewRequestWithContext(b.Context(), http.MethodPost, path, strings.NewReader(body))
				rec := httptest.NewRecorder()
				began := time.Now()
				api.ServeHTTP(rec, req)
				took = append(took, time.Since(began))
				if i == 0 && !strings.Contains(rec.Body.String(), `"ErrorCode":0`) {
					b.Fatal(rec.Body.String())
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
		})
	}
}

func join(names []im.UserID) string {
	var text strings.Builder
	for i, name := range names {
		if i > 0 {
			text.WriteString(`","`)
		}
		text.WriteString(string(name))
	}
	return text.String()
}
