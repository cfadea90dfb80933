package account

import "github.com/porchlight-im/porchlight/internal/im"

// PerShardForTest is how many accounts one shard remembers, and ShardsForTest
// how many shards there are.
const (
	PerShardForTest = perShard
	ShardsForTest   = shards
)

// RememberedForTest gives how many accounts the fullest shard remembers.
func (d *Directory) RememberedForTest() (most int) {
	for i := range d.shards {
		s := &d.shards[i]
		s.mu.Lock()
		most = max(most, len(s.known))
		s.mu.Unlock()
	}
	return most
}

// SameShardForTest reports whether two accounts are remembered in one shard.
func (d *Directory) SameShardForTest(a, b im.UserKey) bool { return d.shard(a) == d.shard(b) }
