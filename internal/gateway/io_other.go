//go:build !unix

package gateway

import (
	"errors"
	"net"
	"syscall"
)

// rawOf gives nil: here every connection is read and written through its own
// methods.
func rawOf(net.Conn) syscall.RawConn { return nil }

func readFD(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }

func writeFD(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }
