//go:build unix && (!linux || race)

package gateway

import "syscall"

// writeFD writes what a socket that does not block takes at once.
func writeFD(fd uintptr, buf []byte) (int, error) {
	return syscall.Write(int(fd), buf)
}
