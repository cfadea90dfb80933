//go:build !unix

package server

import (
	"fmt"
	"os"
	"path/filepath"
)

// lockDir opens the lock file of a data directory. Here it does not keep a
// second process out.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	return f, nil
}
