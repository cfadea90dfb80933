//go:build unix

package gateway

import (
	"net"
	"syscall"
)

// rawOf gives the descriptor beneath a TCP connection, nil where there is none:
// TLS and pipes are read and written through their own methods.
func rawOf(nc net.Conn) syscall.RawConn {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// readFD reads what a socket that does not block has.
func readFD(fd uintptr, buf []byte) (int, error) { return syscall.Read(int(fd), buf) }
