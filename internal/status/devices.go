package status

import "github.com/porchlight-im/porchlight/internal/im"

// Outboxes gives the outboxes of an account's connections of now, for what is
// told to a user's devices beside statuses. The slice is shared: do not write to
// it.
func (e *Engine) Outboxes(key im.UserKey) []Outbox {
	s := e.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.users[key]; u != nil && u.own != nil {
		return u.own.outboxes()
	}
	return nil
}
