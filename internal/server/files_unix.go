//go:build unix

package server

import "syscall"

// maxFiles gives how many descriptors the process may hold, as raised by the
// runtime, or 0 where that is not known.
func maxFiles() int {
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil || lim.Cur > 1<<30 {
		return 0
	}
	return int(lim.Cur)
}
