package wire_test

import (
	"fmt"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/wire"
)

// manyStatuses gives the answer to a query of n users, of whom one in ten does
// not exist.
func manyStatuses(n int) (found []im.Found, failed []im.Failed) {
	refusal := im.Err(im.CodeNoAccount)
	for i := range n {
		user := im.UserID(fmt.Sprintf("user_%05d", i))
		if i%10 == 9 {
			failed = append(failed, im.Failed{User: user, Refusal: refusal})
			continue
		}
		s := im.Status{General: im.General(i%3 + 1)}
		if s.General == im.Online {
			s.Custom = "in a meeting"
		}
		found = append(found, im.Found{User: user, Status: s, Version: im.Version{Epoch: 1795400000, Seq: uint64(i) * 977}})
	}
	return found, failed
}

// BenchmarkDecode reads a ws_set_custom_status, head and body.
func BenchmarkDecode(b *testing.B) {
	msg := []byte(officialFrame)
	b.ReportAllocs()
	b.SetBytes(int64(len(msg)))
	for b.Loop() {
		var r wire.Request
		if err := wire.Decode(msg, im.MaxFrameDepth, &r); err != nil {
			b.Fatal(err)
		}
		var body wire.SetStatus
		if err := wire.DecodeBody(r.Body, &body); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEncodePush encodes one notice for all its watchers.
func BenchmarkEncodePush(b *testing.B) {
	n := notice(im.Found{User: "alice", Status: im.Status{General: im.Online, Custom: "on a walk"}, Version: im.Version{Epoch: 1795400000, Seq: 1234567}})
	b.ReportAllocs()
	for b.Loop() {
		wire.Encode(n)
	}
}

// BenchmarkAppendStatuses500 encodes the answer to the largest query.
func BenchmarkAppendStatuses500(b *testing.B) {
	found, failed := manyStatuses(im.MaxQuery)
	seq := jsontext.Value("48151623")
	buf := wire.AppendStatuses(nil, seq, 1795400000, found, failed)
	b.ReportAllocs()
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		buf = wire.AppendStatuses(buf[:0], seq, 1795400000, found, failed)
	}
}
