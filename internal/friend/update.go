package friend

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/porchlight-im/porchlight/internal/im"
)

// Updating is what shall become new of one friend; nil stays as it is.
type Updating struct {
	User   im.UserID
	Remark *string
	Groups []string   // all of them; made where they are missing
	Custom []im.Field // by the names that the application declares; "" removes a text
	Wrong  *im.Error  // what the edge could not make out
}

// Update changes entries of the caller's list.
func (s *Service) Update(ctx context.Context, c Caller, lim Limits, items []Updating) ([]Result, error) {
	items, err := once(items, func(u *Updating) im.UserID { return u.User })
	if err != nil {
		return nil, err
	}
	results := make([]Result, len(items))
	customs := make([]map[string]string, len(items))
	for i := range items {
		results[i].User = items[i].User
		customs[i], results[i].Refusal = checkUpdating(&lim, &items[i])
	}
	q := im.RelationQuery{User: c.User, Entries: true, Groups: true}
	return results, s.each(ctx, q, results, func(now im.Relations, ch *change, todo []int) {
		book := groupBook{groups: slices.Clone(now.Groups), last: now.GroupSeq, most: lim.Groups, ch: ch}
		for i, n := range todo {
			results[n].Refusal = update(ch, &book, &now.Pairs[i], &items[n], customs[n])
		}
	})
}

func checkUpdating(lim *Limits, u *Updating) (map[string]string, *im.Error) {
	if u.Wrong != nil {
		return nil, u.Wrong
	}
	if u.Remark != nil && len(*u.Remark) > lim.RemarkBytes {
		return nil, tooLong("a remark", lim.RemarkBytes)
	}
	if refusal := checkGroups(lim, u.Groups); refusal != nil {
		return nil, refusal
	}
	return customValues(lim, u.Custom)
}

func update(ch *change, book *groupBook, p *im.Pair, u *Updating, custom map[string]string) *im.Error {
	if p.Entry == nil {
		return im.Errorf(im.CodeFriendInvalid, "not on the list of friends")
	}
	e, what := *p.Entry, Changed{User: u.User, Remark: u.Remark, Groups: u.Groups, Custom: u.Custom}
	if u.Remark != nil {
		e.Remark = *u.Remark
	}
	if u.Groups != nil {
		ids, refusal := book.find(u.Groups...)
		if refusal != nil {
			return refusal
		}
		e.Groups = ids
	}
	if len(custom) > 0 {
		if e.Custom = maps.Clone(e.Custom); e.Custom == nil {
			e.Custom = make(map[string]string, len(custom))
		}
		maps.Copy(e.Custom, custom)
	}
	if e.Remark == p.Entry.Remark && slices.Equal(e.Groups, p.Entry.Groups) && maps.Equal(e.Custom, p.Entry.Custom) {
		return nil // nothing is new: nobody is told
	}
	ch.saveFriend(e, what)
	return nil
}

// customValues checks custom fields against what the application declares, and
// gives their values as they are kept.
func customValues(lim *Limits, custom []im.Field) (map[string]string, *im.Error) {
	values := make(map[string]string, len(custom))
	for _, f := range custom {
		number, ok := lim.Fields.Lookup(f.Tag)
		if !ok {
			return nil, im.Errorf(im.CodeFriendInvalid, "no custom field of that name is declared for the application (setting friend.fields)")
		}
		text, isText := f.Value.(string)
		n, isNumber := f.Value.(int64)
		switch {
		case number && !isNumber:
			return nil, im.Errorf(im.CodeFriendInvalid, "the custom field %s takes a number", f.Tag)
		case !number && !isText:
			return nil, im.Errorf(im.CodeFriendInvalid, "the custom field %s takes a text", f.Tag)
		case number && n < 0:
			return nil, im.Errorf(im.CodeFriendInvalid, "the custom field %s takes no number below zero", f.Tag)
		case len(text) > lim.FieldBytes:
			return nil, tooLong("a custom field", lim.FieldBytes)
		case number:
			text = strconv.FormatInt(n, 10)
		}
		values[f.Tag] = text
	}
	return values, nil
}

// customFields gives what is kept of custom fields with their types, by name.
func customFields(fields im.Fields, values map[string]string) []im.Field {
	list := make([]im.Field, 0, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		text := values[name]
		f := im.Field{Tag: name, Value: text}
		if number, _ := fields.Lookup(name); number {
			if n, err := strconv.ParseInt(text, 10, 64); err == nil {
				f.Value = n
			}
		}
		list = append(list, f)
	}
	return list
}
