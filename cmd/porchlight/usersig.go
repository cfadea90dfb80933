package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/usersig"
)

// secretEnv is where the key may stand; never on a command line, which every
// user of the machine can read.
const secretEnv = "PORCHLIGHT_SECRET_KEY" //nolint:gosec // G101: a name

// userSig mints a UserSig, or says whether one is good and what is in it.
func userSig(_ context.Context, args []string, out, errs io.Writer) error {
	fs := newFlags("usersig", "Usersig mints the UserSig with which a user logs in, or with -verify looks into one.\n"+
		"The secret key comes from "+secretEnv+", or else from dev.json in the data directory.\n"+
		"\n  porchlight usersig [flags] USER\n  porchlight usersig [flags] -verify UserSig USER", errs)
	data := fs.String("data", "porchlight-data", "data `directory` of a server started with -dev")
	appID := fs.Uint("app", 0, "`SDKAppID` (default that of dev.json)")
	expire := fs.Duration("expire", 180*24*time.Hour, "how long it is good")
	verify := fs.String("verify", "", "`UserSig` to look into, instead of minting")
	asJSON := fs.Bool("json", false, "print JSON")
	if err := parse(fs, args, 1); err != nil {
		return err
	}
	if fs.NArg() == 0 {
		fs.Usage()
		return errUsage
	}
	if *appID > math.MaxUint32 {
		return fmt.Errorf("-app %d is no SDKAppID: it is over %d", *appID, uint32(math.MaxUint32))
	}
	user := im.UserID(fs.Arg(0))
	app, secret, err := credentials(*data, im.AppID(*appID))
	if err != nil {
		return err
	}
	if *verify != "" {
		want := usersig.Want{App: app, User: user, Keys: []im.AppKey{{ID: 1, Secret: secret}}, Now: time.Now(), Skew: im.TokenSkew}
		sig, err := usersig.Verify(*verify, want)
		if err != nil {
			return err
		}
		if *asJSON {
			return json.NewEncoder(out).Encode(map[string]any{
				"sdkAppID": sig.App, "userID": sig.User, "issued": sig.Issued, "expires": sig.Expires,
			})
		}
		return printSig(out, sig)
	}
	token, err := usersig.Mint(app, user, secret, time.Now(), *expire)
	if err != nil {
		return err
	}
	if *asJSON {
		return json.NewEncoder(out).Encode(map[string]any{"sdkAppID": app, "userID": user, "userSig": token})
	}
	_, err = fmt.Fprintln(out, token)
	return err
}

func printSig(out io.Writer, sig usersig.Sig) error {
	issued, expires := time.Unix(sig.Issued, 0).UTC(), time.Unix(sig.Expires, 0).UTC()
	_, err := fmt.Fprintf(out, "good: user %s of application %d, issued %s, expires %s\n",
		sig.User, sig.App, issued.Format(time.RFC3339), expires.Format(time.RFC3339))
	return err
}

// credentials gives the application and its key.
func credentials(data string, app im.AppID) (im.AppID, string, error) {
	if secret := os.Getenv(secretEnv); secret != "" {
		if app == 0 {
			return 0, "", errors.New("give the SDKAppID that the key belongs to: -app 1400000001")
		}
		return app, secret, nil
	}
	var dev struct {
		SDKAppID  im.AppID `json:"sdkAppID"`
		SecretKey string   `json:"secretKey"`
	}
	path := filepath.Join(data, "dev.json")
	text, err := os.ReadFile(path) //nolint:gosec // G304: the user names the directory
	if err != nil {
		return 0, "", fmt.Errorf("no %s in the environment, and no dev.json: %w", secretEnv, err)
	}
	if err := json.Unmarshal(text, &dev); err != nil {
		return 0, "", fmt.Errorf("read %s: %w", path, err)
	}
	if app != 0 && app != dev.SDKAppID {
		return 0, "", fmt.Errorf("dev.json is of application %d, not %d; put the key of that one into %s", dev.SDKAppID, app, secretEnv)
	}
	return dev.SDKAppID, dev.SecretKey, nil
}
