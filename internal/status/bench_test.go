package status

import (
	"context"
	"fmt"
	"testing"

	"github.com/porchlight-im/porchlight/internal/im"
)

// countingOut is a connection that counts.
type countingOut struct{ n int }

func (o *countingOut) Others(*im.Notice)  { o.n++ }
func (o *countingOut) Own(*im.Notice)     { o.n++ }
func (o *countingOut) Forget([]im.UserID) {}
func (o *countingOut) Told() int64        { return 0 }
func (o *countingOut) End(im.Cause)       {}

// BenchmarkFanOut tells one change to a number of watchers; what the watchers'
// connections do with it is measured in gateway.
func BenchmarkFanOut(b *testing.B) {
	for _, watchers := range []int{0, 1, 1000, 10_000} {
		b.Run(fmt.Sprint(watchers), func(b *testing.B) {
			e := newEngine(newFakeStore())
			ctx := context.Background()
			attach := func(u im.UserID, inst im.InstID) {
				if _, err := e.Login(ctx, Login{User: key(u), Policy: multi, Expires: 1 << 40, Out: &countingOut{}}, inst); err != nil {
					b.Fatal(err)
				}
			}
			attach("star", 1)
			for i := range watchers {
				u := im.UserID(fmt.Sprintf("w%d", i))
				attach(u, 1)
				if _, err := e.Subscribe(ctx, key(u), []im.UserID{"star"}, 200); err != nil {
					b.Fatal(err)
				}
			}
			texts := [2]string{"one", "two"}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				e.step(key("star"), event{kind: evCustom, custom: texts[i%2]})
			}
		})
	}
}

// BenchmarkStep is the pure core alone.
func BenchmarkStep(b *testing.B) {
	r := DefaultRules()
	u := &user{key: key("u"), shown: im.Status{General: im.Unlogined}}
	step(u, event{kind: evAttach, inst: 1, link: 1}, at(1), &r)
	b.ReportAllocs()
	for i := int64(1); b.Loop(); i++ {
		text := "a"
		if i%2 == 0 {
			text = "b"
		}
		step(u, event{kind: evCustom, custom: text}, at(i), &r)
	}
}
