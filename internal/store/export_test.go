package store

import (
	"context"
	"database/sql"
)

// WritingForTest gives the connection that the writer uses, to break it.
func (s *Store) WritingForTest() *sql.DB { return s.writing.db }

// CheckSettingsForTest reads back what Open sets on a writing file handle.
func CheckSettingsForTest(ctx context.Context, db *sql.DB) error {
	return checkSettings(ctx, db, writePragmas("file"))
}

// MaxQueueForTest is how many ops may wait.
const MaxQueueForTest = maxQueue
