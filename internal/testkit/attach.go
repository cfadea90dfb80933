package testkit

import (
	"testing"

	"github.com/porchlight-im/porchlight/internal/server"
)

// Attach gives a server that runs elsewhere, such as in a process of its own, as
// its -dev tells of it. The test starts and stops it itself.
func Attach(t testing.TB, dev *server.Dev) *Server { return &Server{t: t, Dev: dev, log: &logBuffer{}} }
