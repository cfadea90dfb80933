package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// human gives a time for people: how far it is from now, and when it is. nil is
// none.
func human(t *time.Time, now time.Time) string {
	if t == nil {
		return "-"
	}
	away, words := t.Sub(now), "now"
	switch {
	case away >= time.Second:
		words = "in " + length(away)
	case away <= -time.Second:
		words = length(-away) + " ago"
	}
	return fmt.Sprintf("%s (%s)", words, t.UTC().Format("2006-01-02 15:04 UTC"))
}

// length gives a time span in its largest unit.
func length(d time.Duration) string {
	const day = 24 * time.Hour
	for _, u := range []struct {
		name string
		span time.Duration
	}{{"day", day}, {"hour", time.Hour}, {"minute", time.Minute}} {
		if n := int((d + u.span/2) / u.span); d >= u.span {
			return plural(n, u.name)
		}
	}
	return plural(int(d/time.Second), "second")
}

// short gives a time span without the zeros at its end.
func short(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// parseWhen reads a time as people write it: RFC 3339, a date, whose first
// second it is in UTC, a time span from now, or none, which is nil.
func parseWhen(text string, now time.Time) (*time.Time, error) {
	if text == "none" {
		return nil, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return &t, nil
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return &t, nil
	}
	span, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n int64
		n, err = strconv.ParseInt(days, 10, 16)
		span = time.Duration(n) * 24 * time.Hour
	}
	if err != nil {
		return nil, misusef("%q is no time; give one such as 2027-01-31, 2027-01-31T12:00:00Z, 24h or 7d from now, or none", text)
	}
	t := now.Add(span).UTC().Truncate(time.Second)
	return &t, nil
}
