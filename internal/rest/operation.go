package rest

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/porchlight-im/porchlight/internal/im"
)

// infoRequest asks for figures of the application.
type infoRequest struct {
	Fields []string `json:"RequestField" doc:"The members that are wanted; left out, all of them."`
}

type infoAnswer struct {
	Days []infoDay `json:"Result" doc:"One for each of the last 30 days in UTC, today first, as far back as the application goes."`
}

// infoDay is the figures of one day, written as texts. What this server does not
// measure is not there.
type infoDay struct {
	Date       string `json:"Date" doc:"Such as 20261125."`
	App        string `json:"AppId,omitzero" doc:"The SDKAppID."`
	Name       string `json:"AppName,omitzero" doc:"The name of the application."`
	Registered string `json:"RegistUserNumOneDay,omitzero" doc:"Accounts made on that day."`
	Accounts   string `json:"RegistUserNumTotal,omitzero" doc:"Accounts there were at its end."`
	Logins     string `json:"LoginTimes,omitzero" doc:"Logins by UserSig."`
	Online     string `json:"MaxOnlineNum,omitzero" doc:"The most users online at once."`
}

// infoDays is how many days are told.
const infoDays = 30

// appInfo gives the figures of the latest days. [RE13]
func appInfo(ctx context.Context, k *call, in *infoRequest) (answer infoAnswer, err error) {
	days, err := k.api.cfg.Days.List(ctx, k.app, infoDays, k.api.cfg.Now())
	if err != nil {
		return answer, err
	}
	for _, d := range days {
		answer.Days = append(answer.Days, k.infoDay(d, in.Fields))
	}
	return answer, nil
}

func (k *call) infoDay(d im.Day, fields []string) infoDay {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	told := infoDay{Date: time.UnixMilli(0).UTC().AddDate(0, 0, int(d.Day)).Format("20060102")}
	for name, f := range map[string]struct {
		into  *string
		value string
	}{
		"AppId": {&told.App, k.app.ID.String()}, "AppName": {&told.Name, k.app.Name},
		"RegistUserNumOneDay": {&told.Registered, number(d.Registered)}, "RegistUserNumTotal": {&told.Accounts, number(d.Accounts)},
		"LoginTimes": {&told.Logins, number(d.Logins)}, "MaxOnlineNum": {&told.Online, number(d.Online)},
	} {
		if fields == nil || slices.Contains(fields, name) {
			*f.into = f.value
		}
	}
	return told
}

type addressAnswer struct {
	List []string `json:"IPList" doc:"Addresses, or ranges of them."`
}

// addresses gives the addresses of the server, for firewalls. There is one kind
// of them here, whatever the parameter nettype asks for. [RE14]
func addresses(_ context.Context, k *call, _ *nothing) (answer addressAnswer, err error) {
	if n, err := strconv.Atoi(k.query.netType); k.query.netType != "" && (err != nil || n < 0 || n > 6) {
		return answer, im.Errorf(im.CodeInvalid, "nettype is not a number from 0 to 6")
	}
	answer.List = k.api.cfg.Addresses()
	return answer, nil
}
