package rest

import (
	"context"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/porchlight-im/porchlight/internal/im"
)

// onlineRequest asks where users are.
type onlineRequest struct {
	Users  []im.UserID `json:"To_Account" doc:"1 to 500 accounts; one that is named twice is answered once."`
	Detail int64       `json:"IsNeedDetail" doc:"1 for each platform too."`
	Inst   int64       `json:"IsReturnInstid" doc:"1 for the number of each session, each with an element of its own in Detail."`
	Custom int64       `json:"IsReturnCustomStatus" doc:"1 for the custom status too."`
}

// mistyped gives the code of a member of the wrong type.
func (*onlineRequest) mistyped(at jsontext.Pointer) im.Code {
	if strings.HasPrefix(string(at), "/To_Account") {
		return im.CodeNotStringAccount
	}
	return im.CodeQueryNotJSON
}

// onlineAnswer says where users are.
type onlineAnswer struct {
	Found  []onlineUser   `json:"QueryResult" doc:"Those who exist, in the order of the request."`
	Failed []onlineFailed `json:"ErrorList" doc:"The others. Where there is nobody else, the whole call fails with the first one's code."`
}

type onlineUser struct {
	User   im.UserID      `json:"To_Account" doc:"The account."`
	Status string         `json:"Status" doc:"Online, PushOnline (no connection, and push reaches a device) or Offline."`
	Detail []onlineDevice `json:"Detail,omitempty" doc:"Each platform that is not Offline; missing where there is none."`
	Custom *string        `json:"CustomStatus,omitzero" doc:"The custom status, where it was asked for."`
}

type onlineDevice struct {
	Platform string    `json:"Platform" doc:"iPhone, Android, Web, PC, iPad or Mac."`
	Status   string    `json:"Status" doc:"Online or PushOnline."`
	Inst     im.InstID `json:"Instid,omitzero" doc:"The number of the session, where it was asked for and is known."`
}

type onlineFailed struct {
	User im.UserID `json:"To_Account" doc:"The account."`
	Code im.Code   `json:"ErrorCode" doc:"70107: it does not exist."`
}

// general is how back ends call the general statuses, which clients call
// otherwise: Offline here is not OFFLINE there.
var general = map[im.General]string{im.Online: "Online", im.Offline: "PushOnline", im.Unlogined: "Offline"}

// platforms is how back ends call the platforms.
var platforms = [im.Platforms]string{
	im.Web: "Web", im.Android: "Android", im.IPhone: "iPhone", im.IPad: "iPad", im.Mac: "Mac", im.Windows: "PC", im.Linux: "PC",
}

// queryOnline says where users are, at this moment. [RE12]
func queryOnline(ctx context.Context, k *call, in *onlineRequest) (answer onlineAnswer, err error) {
	switch most := k.api.set.Query; {
	case in.Users == nil:
		return answer, im.Errorf(im.CodeNotStringAccount, "To_Account is missing; it is a list of texts")
	case len(in.Users) == 0:
		return answer, im.Errorf(im.CodeQueryNotJSON, "To_Account names nobody; want 1 to %d accounts", most)
	case len(in.Users) > most:
		return answer, im.Errorf(im.CodeTooManyAccounts, "To_Account names %d accounts; want 1 to %d", len(in.Users), most)
	}
	found, failed, err := k.api.cfg.Status.Presence(ctx, k.app.ID, in.Users)
	if err != nil {
		return answer, err
	}
	answer.Found = make([]onlineUser, len(found))
	for i, f := range found {
		u := onlineUser{User: f.User, Status: general[f.Status.General]}
		if in.Detail == 1 || in.Inst == 1 {
			u.Detail = in.devices(f.On)
		}
		if in.Custom == 1 {
			u.Custom = &found[i].Status.Custom
		}
		answer.Found[i] = u
	}
	for _, f := range failed {
		answer.Failed = append(answer.Failed, onlineFailed{User: f.User, Code: im.CodeNoAccount})
	}
	if len(found) == 0 {
		return answer, partly{im.Err(im.CodeNoAccount)}
	}
	return answer, nil
}

// devices gives each session, or each platform once, Online where one session
// is.
func (r *onlineRequest) devices(on []im.Device) (list []onlineDevice) {
	at := make(map[string]int, len(on))
	for _, d := range on {
		device := onlineDevice{Platform: platforms[d.Platform], Status: general[d.General]}
		if r.Inst == 1 {
			device.Inst = d.Inst
			list = append(list, device)
			continue
		}
		i, ok := at[device.Platform]
		switch {
		case !ok:
			at[device.Platform] = len(list)
			list = append(list, device)
		case d.General == im.Online:
			list[i].Status = device.Status
		}
	}
	return list
}

// stateAnswer is the answer of the older alias, whose statuses have another
// name.
type stateAnswer struct {
	Found  []stateUser    `json:"QueryResult" doc:"Those who exist, in the order of the request."`
	Failed []onlineFailed `json:"ErrorList" doc:"The others, likewise."`
}

type stateUser struct {
	User   im.UserID      `json:"To_Account" doc:"The account."`
	State  string         `json:"State" doc:"What the newer command calls Status."`
	Detail []onlineDevice `json:"Detail,omitempty" doc:"As with the newer command."`
	Custom *string        `json:"CustomStatus,omitzero" doc:"As with the newer command."`
}

// queryState is [queryOnline] under its older name.
func queryState(ctx context.Context, k *call, in *onlineRequest) (stateAnswer, error) {
	newer, err := queryOnline(ctx, k, in)
	answer := stateAnswer{Failed: newer.Failed}
	for _, u := range newer.Found {
		answer.Found = append(answer.Found, stateUser{User: u.User, State: u.Status, Detail: u.Detail, Custom: u.Custom})
	}
	return answer, err
}
