package testkit

import (
	"fmt"
	"os"
	"testing"
)

// SeedEnv names the variable that chooses the seeds of every test that runs on
// seeds: one, such as 17, or a range, such as 1-5000.
const SeedEnv = "PORCHLIGHT_SEED"

// Seeds gives the seeds to run: from 1 to most, or to few under -short, unless
// [SeedEnv] chooses others.
func Seeds(t testing.TB, most, few int) (first, last uint64) {
	t.Helper()
	text := os.Getenv(SeedEnv)
	if text == "" {
		if testing.Short() {
			most = few
		}
		return 1, uint64(most)
	}
	if _, err := fmt.Sscanf(text, "%d-%d", &first, &last); err == nil && first <= last {
		return first, last
	}
	if _, err := fmt.Sscanf(text+"\n", "%d\n", &first); err != nil {
		t.Fatalf("%s=%s: want a seed or a range of seeds, such as 17 or 1-5000", SeedEnv, text)
	}
	return first, first
}

// DepthEnv names the variable that chooses how many events a test goes into the
// states of a small world.
const DepthEnv = "PORCHLIGHT_DEPTH"

// Depth gives how many events to go: most, or few under -short, unless [DepthEnv]
// chooses otherwise.
func Depth(t testing.TB, most, few int) int {
	t.Helper()
	if testing.Short() {
		most = few
	}
	if text := os.Getenv(DepthEnv); text != "" {
		if _, err := fmt.Sscanf(text+"\n", "%d\n", &most); err != nil {
			t.Fatalf("%s=%s: want a number of events, such as 12", DepthEnv, text)
		}
	}
	return most
}
