package gateway

import (
	"context"

	"github.com/porchlight-im/porchlight/internal/app"
	"github.com/porchlight-im/porchlight/internal/friend"
	"github.com/porchlight-im/porchlight/internal/im"
	"github.com/porchlight-im/porchlight/internal/wire"
)

// friendLimits gives an application's settings about relations.
func friendLimits(a *app.App) friend.Limits {
	s := &a.Settings
	return friend.Limits{
		Friends: s.MaxFriends, Applications: s.MaxApplications, Blocked: s.MaxBlocked, Groups: s.MaxFriendGroups,
		Allow: s.AllowType.Value(), KeepFriends: s.KeepFriends, Fields: s.FriendFields,
		GroupBytes: s.MaxGroupBytes, RemarkBytes: s.MaxRemarkBytes, WordingBytes: s.MaxWordingBytes, FieldBytes: s.MaxFieldBytes,
	}
}

// decode reads a command's body.
func decode[T any](k *call) (body T, err error) {
	err = wire.DecodeBody(k.req.Body, &body)
	return body, err
}

// ask reads the body of a command about relations, whose From_Account is the
// session's user.
func ask[T any](k *call, from func(*T) im.UserID) (body T, err error) {
	if body, err = decode[T](k); err != nil {
		_, known := im.Refusal(err)
		if known {
			err = im.Errorf(im.CodeFriendInvalid, "%s", err.Error())
		}
		return body, err
	}
	if u := from(&body); u != "" && u != k.sess.User {
		return body, im.Errorf(im.CodeFriendInvalid, "From_Account must be the user who is logged in")
	}
	return body, nil
}

// caller gives the session's user as who asks.
func (k *call) caller() friend.Caller { return friend.Caller{User: k.sess.UserKey} }

// over reports whether the session has ended: what its client asks by itself is
// answered all the same, but nothing is told.
func (k *call) over() bool { return k.sess.cause() != im.CauseNone }

func (k *call) friends() *friend.Service { return k.c.g.cfg.Friends }

func (k *call) answer(body any) []byte {
	return wire.AppendAnswer(nil, k.req.Head.Command, k.req.Head.Seq, k.now, body)
}

func (k *call) ok() []byte { return wire.AppendOK(nil, k.req.Head.Command, k.req.Head.Seq, k.now) }

// results answers with what became of each user.
func (k *call) results(results []im.Result, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	items, failed := wire.ResultItems(results)
	return k.answer(wire.Results{Answer: wire.OK(), Items: items, Failed: failed}), nil
}

// ways turns what was read of a type into the rules' word.
func ways(both, ok bool, what string) (friend.Ways, error) {
	switch {
	case !ok:
		return 0, im.Errorf(im.CodeFriendInvalid, "%s is none of the known ones", what)
	case both:
		return friend.BothWays, nil
	default:
		return friend.OneWay, nil
	}
}

func addFriends(ctx context.Context, k *call) ([]byte, error) {
	body, err := ask(k, func(b *wire.FriendAdd) im.UserID { return b.From.From })
	if err != nil {
		return nil, err
	}
	both, ok := wire.AddBoth(body.Type)
	how, err := ways(both, ok, "AddType")
	if err != nil {
		return nil, err
	}
	items := make([]friend.Adding, len(body.Items))
	for i, a := range body.Items {
		items[i] = friend.Adding{User: a.User, Remark: a.Remark, Group: a.Group, Source: wire.Source(a.Source), Wording: a.Wording}
	}
	return k.results(k.friends().Add(ctx, k.caller(), friendLimits(k.app), how, items))
}

func updateFriends(ctx context.Context, k *call) ([]byte, error) {
	body, err := ask(k, func(b *wire.FriendUpdate) im.UserID { return b.From.From })
	if err != nil {
		return nil, err
	}
	items := make([]friend.Updating, len(body.Items))
	for i, item := range body.Items {
		u, wrong := wire.ReadUpdate(item.Tags)
		items[i] = friend.Updating{User: item.User, Remark: u.Remark, Groups: u.Groups, Custom: u.Custom, Wrong: wrong}
	}
	return k.results(k.friends().Update(ctx, k.caller(), friendLimits(k.app), items))
}

func users(k *call) (wire.Users, error) {
	return ask(k, func(b *wire.Users) im.UserID { return b.From.From })
}

func deleteFriends(ctx context.Context, k *call) ([]byte, error) {
	body, err := users(k)
	if err != nil {
		return nil, err
	}
	both, ok := wire.DeleteBoth(body.Delete, true)
	how, err := ways(both, ok, "DeleteType")
	if err != nil {
		return nil, err
	}
	return k.results(k.friends().Delete(ctx, k.caller(), how, body.Users))
}

func checkFriends(ctx context.Context, k *call) ([]byte, error) {
	body, err := users(k)
	if err != nil {
		return nil, err
	}
	both, ok := wire.CheckBoth(body.Check, wire.FriendCheckPrefix)
	how, err := ways(both, ok, "CheckType")
	if err != nil {
		return nil, err
	}
	list, err := k.friends().Check(ctx, k.sess.UserKey, how, body.Users)
	if err != nil {
		return nil, err
	}
	items, failed := checked(list, wire.FriendRelation)
	return k.answer(wire.Checked{Answer: wire.OK(), Items: items, Failed: failed}), nil
}

func checkBlacklist(ctx context.Context, k *call) ([]byte, error) {
	body, err := users(k)
	if err != nil {
		return nil, err
	}
	both, ok := wire.CheckBoth(body.Check, wire.BlackCheckPrefix)
	how, err := ways(both, ok, "CheckType")
	if err != nil {
		return nil, err
	}
	list, err := k.friends().CheckBlocks(ctx, k.sess.UserKey, how, body.Users)
	if err != nil {
		return nil, err
	}
	items, failed := checked(list, wire.BlackRelation)
	return k.answer(wire.BlacklistChecked{Answer: wire.OK(), Items: items, Failed: failed}), nil
}

// checked gives what was found as clients are told of it.
func checked(list []friend.Checked, spell func(out, in bool) string) (items []wire.CheckItem, failed []im.UserID) {
	items = make([]wire.CheckItem, len(list))
	for i, c := range list {
		items[i] = wire.CheckItem{ResultItem: wire.ResultOf(c.Result), Relation: spell(c.Relation.Edges())}
		if c.Refusal != nil {
			failed = append(failed, c.User)
		}
	}
	return items, failed
}

func respond(ctx context.Context, k *call) ([]byte, error) {
	body, err := ask(k, func(b *wire.FriendRespond) im.UserID { return b.From.From })
	if err != nil {
		return nil, err
	}
	items := make([]friend.Answer, len(body.Items))
	for i, r := range body.Items {
		action, ok := actions[r.Action]
		if !ok {
			return nil, im.Errorf(im.CodeFriendInvalid, "ResponseAction is none of the known ones")
		}
		items[i] = friend.Answer{User: r.User, Action: action, Remark: r.Remark, Group: r.Group}
	}
	return k.results(k.friends().Respond(ctx, k.caller(), friendLimits(k.app), items))
}

// actions are the answers to an application by the client's names.
var actions = map[string]friend.Action{
	wire.RespondReject: friend.Reject, wire.RespondAgree: friend.Agree, wire.RespondAgreeAndAdd: friend.AgreeAndAdd,
}

// directions say which applications are meant, by the client's names.
var directions = map[string]friend.Direction{
	"": friend.EitherWay, wire.PendencyBoth: friend.EitherWay, wire.PendencyIn: friend.Incoming, wire.PendencyOut: friend.Outgoing,
}

func direction(name string) (friend.Direction, error) {
	which, ok := directions[name]
	if !ok {
		return 0, im.Errorf(im.CodeFriendInvalid, "PendencyType is none of the known ones")
	}
	return which, nil
}

func dropApplications(ctx context.Context, k *call) ([]byte, error) {
	body, err := users(k)
	if err != nil {
		return nil, err
	}
	which, err := direction(body.Which)
	if err != nil {
		return nil, err
	}
	return k.results(k.friends().DropApplications(ctx, k.caller(), which, body.Users))
}

func seeApplications(ctx context.Context, k *call) ([]byte, error) {
	body, err := ask(k, func(b *wire.PendencySeen) im.UserID { return b.From.From })
	if err != nil {
		return nil, err
	}
	if err := k.friends().SeeApplications(ctx, k.caller(), body.Until); err != nil {
		return nil, err
	}
	return k.ok(), nil
}

func makeFriendGroups(ctx context.Context, k *call) ([]byte, error) {
	body, err := groupNames(k)
	if err != nil {
		return nil, err
	}
	results, seq, err := k.friends().MakeGroups(ctx, k.caller(), friendLimits(k.app), body.Groups, body.Users)
	if err != nil {
		return nil, err
	}
	items, failed := wire.ResultItems(results)
	made := wire.Results{Answer: wire.OK(), Items: items, Failed: failed}
	return k.answer(wire.FriendGroupResults{Results: made, CurrentSequence: seq}), nil
}

func groupNames(k *call) (wire.FriendGroupNames, error) {
	return ask(k, func(b *wire.FriendGroupNames) im.UserID { return b.From.From })
}

func dropFriendGroups(ctx context.Context, k *call) ([]byte, error) {
	body, err := groupNames(k)
	if err != nil {
		return nil, err
	}
	seq, err := k.friends().DropGroups(ctx, k.caller(), body.Groups)
	if err != nil {
		return nil, err
	}
	return k.answer(wire.FriendGroupResults{Results: wire.Results{Answer: wire.OK()}, CurrentSequence: seq}), nil
}

// alterFriendGroup renames a group, or puts friends into it and takes others out.
func alterFriendGroup(ctx context.Context, k *call) ([]byte, error) {
	body, err := ask(k, func(b *wire.FriendGroupAlter) im.UserID { return b.From.From })
	if err != nil {
		return nil, err
	}
	if body.New != "" {
		if err := k.friends().RenameGroup(ctx, k.caller(), friendLimits(k.app), body.Old, body.New); err != nil {
			return nil, err
		}
		if len(body.Items) == 0 {
			return k.ok(), nil
		}
		body.Old = body.New
	}
	items := make([]friend.Regrouping, len(body.Items))
	types := make(map[im.UserID]string, len(body.Items))
	for i, item := range body.Items {
		if item.Type != wire.UpdateAdd && item.Type != wire.UpdateDelete {
			return nil, im.Errorf(im.CodeFriendInvalid, "UpdateType is none of the known ones")
		}
		items[i] = friend.Regrouping{User: item.User, Leave: item.Type == wire.UpdateDelete}
		types[item.User] = item.Type
	}
	results, err := k.friends().Regroup(ctx, k.caller(), body.Old, items)
	if err != nil {
		return nil, err
	}
	answer := wire.FriendGroupAltered{Answer: wire.OK()}
	for _, r := range results {
		answer.Items = append(answer.Items, wire.AlteredItem{ResultItem: wire.ResultOf(r), Type: types[r.User]})
	}
	return k.answer(answer), nil
}

func block(ctx context.Context, k *call) ([]byte, error) {
	body, err := users(k)
	if err != nil {
		return nil, err
	}
	return k.results(k.friends().Block(ctx, k.caller(), friendLimits(k.app), body.Users))
}

func unblock(ctx context.Context, k *call) ([]byte, error) {
	body, err := users(k)
	if err != nil {
		return nil, err
	}
	return k.results(k.friends().Unblock(ctx, k.caller(), body.Users))
}
