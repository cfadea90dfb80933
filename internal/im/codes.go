package im

import (
	"errors"
	"fmt"
	"strconv"
)

// Code tells a client what went wrong and so what to do. The numbers are those
// every client of the original service knows.
type Code int

// The codes the server gives. What a code means stands in [Code.Text].
const (
	CodeOK            Code = 0
	CodeBadRequest    Code = 60002
	CodeNotJSON       Code = 60003
	CodeRate          Code = 60007
	CodeTimeout       Code = 60008
	CodeNoResource    Code = 60009
	CodeNotAdmin      Code = 60010
	CodeNoAppID       Code = 60012
	CodeAppDisabled   Code = 60016
	CodeAddress       Code = 60021
	CodeBadParameter  Code = 60025
	CodeSigExpired    Code = 70001
	CodeSigMalformed  Code = 70003
	CodeSigMismatch   Code = 70009
	CodeSigOtherUser  Code = 70013
	CodeSigOtherApp   Code = 70014
	CodeNoKey         Code = 70016
	CodeNoApp         Code = 70020
	CodeTooManyChecks Code = 70050
	CodeBanned        Code = 70051
	CodeKeptOut       Code = 70399
	CodeNoDeletion    Code = 71000
	CodeNoAccount     Code = 70107
	CodeServerTimeout Code = 70169
	CodeInvalid       Code = 70402
	CodeInternal      Code = 70500
	CodeTooLong       Code = 80002
	CodeQueryNotJSON  Code = 90001

	CodeNotStringAccount Code = 90003
	CodeTooManyAccounts  Code = 90011
	CodeQueryFailed      Code = 90994

	CodeNotLoggedIn   Code = 6014
	CodeInvalidUserID Code = 7003
	CodeTooOften      Code = 7008
	CodeEdition       Code = 7013
	CodeStatusOff     Code = 72001
	CodeWebhook       Code = 80003
	CodeLoginTooOften Code = 72010
	CodeUserRate      Code = -10113
	CodeOverload      Code = -10114
)

// The codes about friends, blocklists and profiles.
const (
	CodeFriendInvalid     Code = 30001
	CodeFriendNoAccount   Code = 30003
	CodeFriendInternal    Code = 30006
	CodeFriendForbidden   Code = 30009
	CodeFriendsFull       Code = 30010
	CodeFriendGroupsFull  Code = 30011
	CodeBlocklistFull     Code = 30013
	CodePeerFriendsFull   Code = 30014
	CodeBlocksPeer        Code = 30515
	CodePeerDenies        Code = 30516
	CodePeerBlocks        Code = 30525
	CodeFriendPending     Code = 30539
	CodeNoApplication     Code = 30614
	CodeNotFriend         Code = 31704
	CodeNoApplicationLeft Code = 31804
	CodeNotInGroup        Code = 32216
	CodeProfileInvalid    Code = 40001
	CodeProfileNobody     Code = 40002
	CodeProfileNoAccount  Code = 40003
	CodeProfileInternal   Code = 40006
	CodeProfileReadOnly   Code = 40008
	CodeProfileTag        Code = 40009
	CodeProfileLong       Code = 40601
	CodeProfileValue      Code = 40605
	CodeProfileType       Code = 40610
)

var codeTexts = map[Code]string{
	CodeOK:            "",
	CodeBadRequest:    "the request cannot be parsed; see the protocol's frame format",
	CodeNotJSON:       "the body is not valid JSON",
	CodeRate:          "the command is called too often; slow down",
	CodeTimeout:       "the server took too long; try again",
	CodeNoResource:    "this server does not serve that command",
	CodeNotAdmin:      "the caller is no administrator of the application; an operator can make them one",
	CodeNoAppID:       "the SDKAppID is missing",
	CodeAppDisabled:   "the application is disabled; an operator can enable it",
	CodeAddress:       "requests from your address are not let in; an operator can allow it",
	CodeBadParameter:  "one of sdkappid, identifier, usersig and contenttype is missing or wrong",
	CodeSigExpired:    "the UserSig or session has expired or was revoked; log in with a new UserSig",
	CodeSigMalformed:  "the UserSig cannot be decoded; mint it with a TLSSigAPIv2 library",
	CodeSigMismatch:   "the UserSig's signature does not verify; check the application's secret key",
	CodeSigOtherUser:  "the UserSig was made for another userID",
	CodeSigOtherApp:   "the UserSig was made for another SDKAppID",
	CodeNoKey:         "the application has no active secret key; an operator can add one",
	CodeNoApp:         "no such SDKAppID on this server",
	CodeTooManyChecks: "too many failed verifications; wait a minute",
	CodeBanned:        "the account is banned",
	CodeKeptOut:       "an account of that userID was deleted lately and cannot be made anew yet",
	CodeNoDeletion:    "deletion of accounts is switched off for this application; an operator can switch it on",
	CodeNoAccount:     "the account does not exist",
	CodeServerTimeout: "the server took too long; try again",
	CodeInvalid:       "invalid request parameters",
	CodeInternal:      "internal server error; try again",
	CodeTooLong:       "the body is too long",
	CodeQueryNotJSON:  "the body is not a JSON object that names accounts",

	CodeNotStringAccount: "To_Account is not a list of texts",
	CodeTooManyAccounts:  "too many accounts in one call",
	CodeQueryFailed:      "the query failed inside the server; try again",

	CodeNotLoggedIn:   "this session was ended by another login or by an administrator; log in again",
	CodeInvalidUserID: "a userID is 1 to 32 bytes of printable ASCII without spaces",
	CodeTooOften:      "called too often; slow down",
	CodeEdition:       "the application's edition does not include this call",
	CodeStatusOff:     "user status is switched off for this application; an operator can switch it on",
	CodeWebhook:       "the application's back end was asked and gave no answer",
	CodeLoginTooOften: "too many logins and logouts of this user; wait a moment",
	CodeUserRate:      "too many requests on this connection; slow down",
	CodeOverload:      "the server is overloaded; try again later",

	CodeFriendInvalid:     "invalid request about friends, their groups or the blocklist",
	CodeFriendNoAccount:   "no such account; import it, or let its user log in once",
	CodeFriendInternal:    "internal server error about friends; try again",
	CodeFriendForbidden:   "an administrator has forbidden this user to add friends",
	CodeFriendsFull:       "the list of friends is full",
	CodeFriendGroupsFull:  "there are as many friend groups as a user may have",
	CodeBlocklistFull:     "the blocklist is full",
	CodePeerFriendsFull:   "the other's list of friends is full",
	CodeBlocksPeer:        "the other is on the user's own blocklist; take them off it first",
	CodePeerDenies:        "the other lets nobody add them",
	CodePeerBlocks:        "the user is on the other's blocklist",
	CodeFriendPending:     "the application waits for the other's confirmation",
	CodeNoApplication:     "there is no such friend application",
	CodeNotFriend:         "not on the list of friends, so not to be deleted",
	CodeNoApplicationLeft: "there is no such friend application to delete",
	CodeNotInGroup:        "the other is not on the list of friends, so not to be grouped",
	CodeProfileInvalid:    "invalid request about profiles",
	CodeProfileNobody:     "no account is named",
	CodeProfileNoAccount:  "no such account, so no profile",
	CodeProfileInternal:   "internal server error about profiles; try again",
	CodeProfileReadOnly:   "only an administrator may set this field",
	CodeProfileTag:        "there is no such field; a custom field must be declared for the application",
	CodeProfileLong:       "the value is too long",
	CodeProfileValue:      "the field cannot have this value",
	CodeProfileType:       "the value is of the wrong type",
}

// Text says what the code means and what to do about it.
func (c Code) Text() string { return codeTexts[c] }

// String gives the decimal number.
func (c Code) String() string { return strconv.Itoa(int(c)) }

// Error is a refusal that its caller can act on. Anything else that goes wrong
// is internal: its text is logged and the caller is told [CodeInternal].
type Error struct {
	Code Code
	Text string
}

// Error gives the text and the code.
func (e *Error) Error() string { return fmt.Sprintf("%s (%d)", e.Text, int(e.Code)) }

// Is makes errors.Is compare by code alone.
func (e *Error) Is(target error) bool {
	var t *Error
	return errors.As(target, &t) && t.Code == e.Code
}

// Err gives the Error of a code with its own text.
func Err(c Code) *Error { return &Error{Code: c, Text: c.Text()} }

// Errorf gives an Error with a text of its own.
func Errorf(c Code, format string, args ...any) *Error {
	return &Error{Code: c, Text: fmt.Sprintf(format, args...)}
}

// Refusal gives what a caller may be told of err: the Error in its chain, or
// that of CodeInternal, with known false, for one that must be logged.
func Refusal(err error) (refusal *Error, known bool) {
	if errors.As(err, &refusal) {
		return refusal, true
	}
	return Err(CodeInternal), false
}
