package server

import (
	"testing"

	"github.com/porchlight-im/porchlight/internal/gateway"
	"github.com/porchlight-im/porchlight/internal/im"
)

// TestSE14_SocketsWithoutASessionLeaveRoomForOthers: where the limit on open
// files bounds the connections, they take nine tenths of them at most.
func TestSE14_SocketsWithoutASessionLeaveRoomForOthers(t *testing.T) {
	for _, c := range []struct{ setting, connections, want int }{
		{0, 1000, 900},
		{0, 100_000, im.MaxPreLogin},
		{950, 1000, 900},
		{300, 1000, 300},
		{0, 1, 1},
	} {
		got := bounded(gateway.Limits{PreLoginSockets: c.setting, Sockets: 200_000}, c.connections)
		if got.PreLoginSockets != c.want || got.Sockets != c.connections {
			t.Errorf("%d of %d connections: got %d of %d, want %d", c.setting, c.connections, got.PreLoginSockets, got.Sockets, c.want)
		}
	}
}
