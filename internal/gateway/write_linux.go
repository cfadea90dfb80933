//go:build linux && !race

package gateway

import (
	"syscall"
	"unsafe"
)

// writeFD writes without telling the scheduler: the socket does not block, and
// the bookkeeping of a call that might would cost as much as the write.
func writeFD(fd uintptr, buf []byte) (int, error) {
	if len(buf) == 0 {
		return 0, nil
	}
	//nolint:gosec // G103: buf is alive and not moved during the call
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
