//go:build !linux

package gateway

import "time"

// threadTime has no meaning here.
func threadTime() time.Duration { return 0 }
