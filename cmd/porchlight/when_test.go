package main

import (
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestTimesAreWrittenForPeople(t *testing.T) {
	for away, want := range map[time.Duration]string{
		0:                       "now (2026-11-23 12:00 UTC)",
		999 * time.Millisecond:  "now (2026-11-23 12:00 UTC)",
		-999 * time.Millisecond: "now (2026-11-23 11:59 UTC)",
		time.Second:             "in 1 second (2026-11-23 12:00 UTC)",
		59 * time.Second:        "in 59 seconds (2026-11-23 12:00 UTC)",
		-time.Minute:            "1 minute ago (2026-11-23 11:59 UTC)",
		89 * time.Minute:        "in 1 hour (2026-11-23 13:29 UTC)",
		-23 * time.Hour:         "23 hours ago (2026-11-22 13:00 UTC)",
		70 * time.Hour:          "in 3 days (2026-11-26 10:00 UTC)",
		-400 * 24 * time.Hour:   "400 days ago (2025-10-19 12:00 UTC)",
	} {
		when := noon.Add(away).In(time.FixedZone("", 3600))
		if got := human(&when, noon); got != want {
			t.Errorf("%s: %q, want %q", away, got, want)
		}
	}
	if got := human(nil, noon); got != "-" {
		t.Errorf("no time: %q", got)
	}
	for d, want := range map[time.Duration]string{0: "0s", 5 * time.Second: "5s", 90 * time.Second: "1m30s", time.Minute: "1m", time.Hour: "1h", 87600 * time.Hour: "87600h"} {
		if got := short(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}

func TestTimesAreReadAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string]string{
		"2027-01-31T12:00:00+01:00": "2027-01-31T11:00:00Z",
		"2027-01-31":                "2027-01-31T00:00:00Z",
		"24h":                       "2026-11-24T12:00:00Z",
		"7d":                        "2026-11-30T12:00:00Z",
		"-1d":                       "2026-11-22T12:00:00Z",
		"90m":                       "2026-11-23T13:30:00Z",
		"-30s":                      "2026-11-23T11:59:30Z",
		"0s":                        "2026-11-23T12:00:00Z",
	} {
		got, err := parseWhen(text, noon.Add(time.Millisecond))
		if err != nil || got == nil || got.UTC().Format(time.RFC3339) != want {
			t.Errorf("%s: %v, %v, want %s", text, got, err, want)
		}
	}
	if got, err := parseWhen("none", noon); got != nil || err != nil {
		t.Errorf("none: %v, %v", got, err)
	}
	for _, text := range []string{"", "d", "1.5d", "99999d", "5", "7 days", "tomorrow", "2027-02-30", "2027-01-31 12:00", "12:00", "None"} {
		if got, err := parseWhen(text, noon); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}
