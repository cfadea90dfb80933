package rest

import (
	"context"

	"github.com/porchlight-im/porchlight/internal/im"
)

// userRef names an account. The original renamed the member; both are in use.
type userRef struct {
	User im.UserID `json:"UserID,omitzero" doc:"The account."`
	Old  im.UserID `json:"Identifier,omitzero" doc:"The older spelling of UserID."`
}

// id gives the account that is named, and refuses a name that can be none.
func (u userRef) id() (im.UserID, error) {
	id := u.User
	if id == "" {
		id = u.Old
	}
	if !id.Valid() {
		return id, im.Errorf(im.CodeInvalid, "UserID: %s", im.CodeInvalidUserID.Text())
	}
	return id, nil
}

// kick ends all sessions of a user. It is committed before it is answered. [AC6]
func kick(ctx context.Context, k *call, in *userRef) (none nothing, err error) {
	user, err := in.id()
	if err != nil {
		return none, err
	}
	return none, k.api.cfg.Status.Kick(ctx, k.key(user), k.actor())
}

// checkRequest names the accounts to look for.
type checkRequest struct {
	Items []userRef `json:"CheckItem" doc:"1 to 100 accounts."`
}

// checkAnswer says of each account, in the order of the request, whether it
// exists.
type checkAnswer struct {
	Items []checkResult `json:"ResultItem" doc:"One for each account of the request, in its order."`
}

type checkResult struct {
	User   im.UserID `json:"UserID" doc:"The account."`
	Code   im.Code   `json:"ResultCode" doc:"0, or why it could not be looked for."`
	Info   string    `json:"ResultInfo" doc:"The same in words."`
	Status string    `json:"AccountStatus" doc:"Imported or NotImported."`
}

// checkAccounts says which accounts exist. [AC5]
func checkAccounts(ctx context.Context, k *call, in *checkRequest) (checkAnswer, error) {
	if err := k.countAccounts("CheckItem", len(in.Items)); err != nil {
		return checkAnswer{}, err
	}
	answer := checkAnswer{Items: make([]checkResult, len(in.Items))}
	users := make([]im.UserID, len(in.Items))
	for i, item := range in.Items {
		id, err := item.id()
		r := checkResult{User: id, Status: "NotImported"}
		if err != nil {
			refusal, _ := im.Refusal(err)
			r.Code, r.Info = refusal.Code, refusal.Text
		}
		users[i], answer.Items[i] = id, r
	}
	exist, err := k.api.cfg.Accounts.Exist(ctx, k.app.ID, users)
	if err != nil {
		return checkAnswer{}, err
	}
	for i, there := range exist {
		if there {
			answer.Items[i].Status = "Imported"
		}
	}
	return answer, nil
}

// countAccounts refuses a list of none or too many accounts.
func (k *call) countAccounts(name string, n int) error {
	if most := k.api.set.Accounts; n == 0 || n > most {
		return im.Errorf(im.CodeInvalid, "%s names %d accounts; want 1 to %d", name, n, most)
	}
	return nil
}
