package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/store"
)

// Dev is what a program needs to use a server that was started with -dev. It is
// printed as one line when the server is ready, and kept in dev.json.
type Dev struct {
	Ready         bool     `json:"ready"`
	URL           string   `json:"url"`
	WS            string   `json:"ws"` // what goes into proxyServer
	SDKAppID      im.AppID `json:"sdkAppID"`
	SecretKey     string   `json:"secretKey"`
	Admin         string   `json:"admin"`
	Console       string   `json:"console"`
	OperatorToken string   `json:"operatorToken"`
}

// The application of -dev.
const (
	devApp   im.AppID = 1400000001
	devAdmin          = "administrator"
)

// openDev makes the application of -dev, generous in everything, or reads back
// the one that an earlier start made.
func openDev(ctx context.Context, s *store.Store, now time.Time) (*Dev, error) {
	var key [32]byte
	_, _ = rand.Read(key[:]) // it never fails
	row := im.AppRow{
		ID: devApp, Name: "dev", Enabled: true, Created: now.UnixMilli(),
		Keys:   []im.AppKey{{ID: 1, Secret: hex.EncodeToString(key[:])}},
		Admins: []im.UserID{devAdmin},
		Settings: map[string]string{
			"status.friend_notices": "true",
			"login.policy":          im.PolicyMulti.String(),
			"login.native_sessions": "3",
			"login.web_sessions":    strconv.Itoa(im.MaxWebSessions),
		},
	}
	err := s.CreateApp(ctx, row)
	if errors.Is(err, store.ErrExists) {
		row, err = devRow(ctx, s)
	}
	if err != nil {
		return nil, fmt.Errorf("open the application of -dev: %w", err)
	}
	return &Dev{SDKAppID: row.ID, SecretKey: row.Keys[0].Secret, Admin: devAdmin}, nil
}

func devRow(ctx context.Context, s *store.Store) (im.AppRow, error) {
	rows, err := s.Apps(ctx)
	if err != nil {
		return im.AppRow{}, err
	}
	for _, row := range rows {
		if row.ID == devApp && len(row.Keys) > 0 {
			return row, nil
		}
	}
	return im.AppRow{}, fmt.Errorf("application %d has no key", devApp)
}

// Announce writes dev.json and gives the line to print.
func (s *Server) Announce() ([]byte, error) {
	line, err := json.Marshal(s.Dev())
	if err != nil {
		return nil, err
	}
	line = append(line, '\n')
	if err := writeSecret(filepath.Join(s.cfg.Data, "dev.json"), line); err != nil {
		return nil, fmt.Errorf("write dev.json: %w", err)
	}
	return line, nil
}

// writeSecret writes a file that its owner alone may read, as a whole or not at
// all.
func writeSecret(path string, text []byte) error {
	tmp := path + ".new"
	if err := os.WriteFile(tmp, text, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
