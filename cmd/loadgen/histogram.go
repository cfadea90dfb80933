package main

import (
	"math/bits"
	"time"
)

// histogram counts durations in buckets of equal relative width, under 4 % each.
// It travels between processes as JSON and merges. The zero value is empty.
type histogram struct {
	Counts map[int]int64 `json:"counts,omitempty"` // by bucket
	Max    time.Duration `json:"max"`
}

// subBits is how finely a power of two is divided: into 1<<subBits buckets.
const subBits = 5

func (h *histogram) add(d time.Duration) {
	if h.Counts == nil {
		h.Counts = map[int]int64{}
	}
	h.Counts[bucketOf(d)]++
	h.Max = max(h.Max, d)
}

func (h *histogram) merge(other histogram) {
	if h.Counts == nil {
		h.Counts = map[int]int64{}
	}
	for bucket, n := range other.Counts {
		h.Counts[bucket] += n
	}
	h.Max = max(h.Max, other.Max)
}

func (h *histogram) total() int64 {
	var sum int64
	for _, n := range h.Counts {
		sum += n
	}
	return sum
}

// quantile gives the upper end of the bucket that holds the q-th part of all,
// 0 < q <= 1, and zero for an empty histogram.
func (h *histogram) quantile(q float64) time.Duration {
	wanted := int64(q*float64(h.total()) + 0.999999)
	var seen int64
	for bucket := 0; bucket < 64<<subBits && wanted > 0; bucket++ {
		seen += h.Counts[bucket]
		if seen >= wanted {
			return min(bucketEnd(bucket), h.Max)
		}
	}
	return h.Max
}

func bucketOf(d time.Duration) int {
	v := uint64(max(d, 0))
	if v < 1<<subBits {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	return shift<<subBits + int(v>>shift)
}

// bucketEnd gives the largest duration of a bucket.
func bucketEnd(bucket int) time.Duration {
	if bucket < 2<<subBits {
		return time.Duration(bucket)
	}
	shift := bucket>>subBits - 1
	low := uint64(bucket&(1<<subBits-1)|1<<subBits) << shift
	return time.Duration(low + 1<<shift - 1)
}
