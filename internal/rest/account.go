package rest

import (
	"context"
	"sync"

	"github.com/porchlight-im/porchlight/internal/im"
)

// userRef names an account. The original renamed the member; both are in use.
type userRef struct {
	User im.UserID `json:"UserID" doc:"The account."`
	Old  im.UserID `json:"Identifier" doc:"The older spelling of UserID."`
}

// name gives the account that is named, whether there can be one or not.
func (u userRef) name() im.UserID {
	if u.User == "" {
		return u.Old
	}
	return u.User
}

// errUserID refuses a userID that can be none.
var errUserID = im.Errorf(im.CodeInvalid, "UserID: %s", im.CodeInvalidUserID.Text())

// importRequest describes an account. A field of the profile that is left out
// stays as it is.
type importRequest struct {
	userRef

	Nick *string `json:"Nick" doc:"The nickname, up to 500 bytes; left out, it stays as it is."`
	Face *string `json:"FaceUrl" doc:"The address of the avatar, likewise."`
}

// The fields of a profile that an import sets, as clients ask for them.
const (
	tagNick = "Tag_Profile_IM_Nick"
	tagFace = "Tag_Profile_IM_Image"
)

func (r importRequest) row() im.ImportRow {
	row := im.ImportRow{User: r.name(), Values: make(map[string]string)}
	for tag, value := range map[string]*string{tagNick: r.Nick, tagFace: r.Face} {
		if value != nil {
			row.Values[tag] = *value
		}
	}
	return row
}

// importAccount makes an account or updates it. [AC1]
func importAccount(ctx context.Context, k *call, in *importRequest) (none nothing, err error) {
	failed, err := k.importRows(ctx, []im.ImportRow{in.row()})
	if err == nil && len(failed) > 0 {
		err = failed[0].Refusal
	}
	return none, err
}

// importsRequest describes accounts, in the newer spelling or in the older one,
// in which they have nothing but a name.
type importsRequest struct {
	List []importRequest `json:"AccountList" doc:"1 to 100 accounts."`
	Old  []im.UserID     `json:"Accounts" doc:"The older spelling, of accounts that are only named."`
}

// importsAnswer names those that were not imported.
type importsAnswer struct {
	Failed []im.UserID `json:"FailAccounts" doc:"Those that were not imported; the others were."`
}

// importAccounts makes or updates accounts, in one commit. [AC2]
func importAccounts(ctx context.Context, k *call, in *importsRequest) (answer importsAnswer, err error) {
	if err := k.countAccounts("AccountList", len(in.List)+len(in.Old)); err != nil {
		return answer, err
	}
	var rows []im.ImportRow
	for _, r := range in.List {
		rows = append(rows, r.row())
	}
	for _, user := range in.Old {
		rows = append(rows, im.ImportRow{User: user})
	}
	failed, err := k.importRows(ctx, rows)
	for _, f := range failed {
		answer.Failed = append(answer.Failed, f.User)
	}
	return answer, err
}

func (k *call) importRows(ctx context.Context, rows []im.ImportRow) ([]im.Failed, error) {
	now := k.api.cfg.Now()
	order := im.Import{App: k.app.ID, At: now.UnixMilli(), Accounts: rows, Actor: k.actor()}
	if d := k.app.Settings.KeepOut; d > 0 {
		order.KeepOut = now.Add(-d).Unix()
	}
	return k.api.cfg.Accounts.Import(ctx, order)
}

// deleteRequest names the accounts to delete.
type deleteRequest struct {
	Items []userRef `json:"DeleteItem" doc:"1 to 100 accounts."`
}

// deleteAnswer says what became of each account.
type deleteAnswer struct {
	Items []deleteResult `json:"ResultItem" doc:"One for each account of the request, in its order."`
}

type deleteResult struct {
	Code im.Code   `json:"ResultCode" doc:"0, or why it was not deleted: 70107 for one that does not exist."`
	Info string    `json:"ResultInfo" doc:"The same in words."`
	User im.UserID `json:"UserID" doc:"The account."`
}

// deleteAccounts deletes accounts, each with all that is its own or not at all.
// Whoever is named twice is deleted once. [AC4]
func deleteAccounts(ctx context.Context, k *call, in *deleteRequest) (deleteAnswer, error) {
	if err := k.countAccounts("DeleteItem", len(in.Items)); err != nil {
		return deleteAnswer{}, err
	}
	if !k.app.Settings.Deletion {
		return deleteAnswer{}, im.Err(im.CodeNoDeletion)
	}
	errs := make(map[im.UserID]*error, len(in.Items))
	var wg sync.WaitGroup
	for _, item := range in.Items { // at once, so that they share a commit
		user := item.name()
		if errs[user] != nil {
			continue
		}
		err := new(error)
		errs[user] = err
		wg.Go(func() { *err = k.deleteAccount(ctx, user) })
	}
	wg.Wait()
	answer := deleteAnswer{Items: make([]deleteResult, len(in.Items))}
	for i, item := range in.Items {
		r := deleteResult{User: item.name()}
		if refusal := k.refuse(*errs[r.User]); refusal != nil {
			r.Code, r.Info = refusal.Code, refusal.Text
		}
		answer.Items[i] = r
	}
	return answer, nil
}

func (k *call) deleteAccount(ctx context.Context, user im.UserID) error {
	if !user.Valid() {
		return errUserID
	}
	return k.api.cfg.Friends.Gone(ctx, k.key(user), func() error {
		return k.api.cfg.Status.Delete(ctx, k.key(user), k.actor())
	})
}

// checkRequest names the accounts to look for.
type checkRequest struct {
	Items []userRef `json:"CheckItem" doc:"1 to 100 accounts."`
}

// checkAnswer says of each account whether it exists.
type checkAnswer struct {
	Items []checkResult `json:"ResultItem" doc:"One for each account of the request, in its order."`
}

type checkResult struct {
	User   im.UserID `json:"UserID" doc:"The account."`
	Code   im.Code   `json:"ResultCode" doc:"0, or why it could not be looked for."`
	Info   string    `json:"ResultInfo" doc:"The same in words."`
	Status string    `json:"AccountStatus" doc:"Imported or NotImported."`
}

// checkAccounts says which accounts exist. [AC3]
func checkAccounts(ctx context.Context, k *call, in *checkRequest) (checkAnswer, error) {
	if err := k.countAccounts("CheckItem", len(in.Items)); err != nil {
		return checkAnswer{}, err
	}
	users := make([]im.UserID, len(in.Items))
	for i, item := range in.Items {
		users[i] = item.name()
	}
	exist, err := k.api.cfg.Accounts.Exist(ctx, k.app.ID, users)
	if err != nil {
		return checkAnswer{}, err
	}
	answer := checkAnswer{Items: make([]checkResult, len(users))}
	for i, user := range users {
		r := checkResult{User: user, Status: "NotImported"}
		switch {
		case exist[i]:
			r.Status = "Imported"
		case !user.Valid():
			r.Code, r.Info = errUserID.Code, errUserID.Text
		}
		answer.Items[i] = r
	}
	return answer, nil
}

// kick ends all sessions of a user. It is committed before it is answered. [AC5]
func kick(ctx context.Context, k *call, in *userRef) (none nothing, err error) {
	user := in.name()
	if !user.Valid() {
		return none, errUserID
	}
	return none, k.api.cfg.Status.Kick(ctx, k.key(user), k.actor())
}

// countAccounts refuses a list of none or too many accounts.
func (k *call) countAccounts(name string, n int) error {
	if most := k.api.set.Accounts; n == 0 || n > most {
		return im.Errorf(im.CodeInvalid, "%s names %d accounts; want 1 to %d", name, n, most)
	}
	return nil
}
