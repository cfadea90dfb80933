package main

import (
	"encoding/json"
	"math/bits"
	"time"
)

// histogram counts durations in buckets of equal relative width, under 4 % each.
// It travels between processes as JSON and merges. The zero value is empty.
type histogram struct {
	counts []int64 // by bucket, as far as there are any
	max    time.Duration
}

// subBits is how finely a power of two is divided: into 1<<subBits buckets.
const subBits = 5

func (h *histogram) add(d time.Duration) {
	h.count(bucketOf(d), 1)
	h.max = max(h.max, d)
}

func (h *histogram) count(bucket int, n int64) {
	for len(h.counts) <= bucket {
		h.counts = append(h.counts, 0)
	}
	h.counts[bucket] += n
}

func (h *histogram) merge(other *histogram) {
	for bucket, n := range other.counts {
		if n > 0 {
			h.count(bucket, n)
		}
	}
	h.max = max(h.max, other.max)
}

// sparse is a histogram as it travels: most buckets are empty.
type sparse struct {
	Counts map[int]int64 `json:"counts,omitempty"` // by bucket
	Max    time.Duration `json:"max"`
}

// MarshalJSON gives the buckets that are not empty.
func (h histogram) MarshalJSON() ([]byte, error) {
	s := sparse{Counts: map[int]int64{}, Max: h.max}
	for bucket, n := range h.counts {
		if n > 0 {
			s.Counts[bucket] = n
		}
	}
	return json.Marshal(s)
}

// UnmarshalJSON takes what MarshalJSON gave.
func (h *histogram) UnmarshalJSON(text []byte) error {
	var s sparse
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	*h = histogram{max: s.Max}
	for bucket, n := range s.Counts {
		if bucket >= 0 && bucket < buckets {
			h.count(bucket, n)
		}
	}
	return nil
}

func (h *histogram) total() int64 {
	var sum int64
	for _, n := range h.counts {
		sum += n
	}
	return sum
}

// quantile gives the upper end of the bucket that holds the q-th part of all,
// 0 < q <= 1, and zero for an empty histogram.
func (h *histogram) quantile(q float64) time.Duration {
	wanted := int64(q*float64(h.total()) + 0.999999)
	var seen int64
	for bucket, n := range h.counts {
		if seen += n; seen >= wanted && seen > 0 {
			return min(bucketEnd(bucket), h.max)
		}
	}
	return h.max
}

// buckets is more than there are.
const buckets = 64 << subBits

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
