package testkit

import "time"

// What a test needs that judges a client by all it was told, and when.

// Pushed gives the frames that answered nothing and have come since it was last
// asked. It does not wait.
func (c *Client) Pushed() []Frame {
	var all []Frame
	for {
		select {
		case f, ok := <-c.pushes:
			if !ok {
				return all
			}
			all = append(all, f)
		default:
			return all
		}
	}
}

// StatusesOf gives the statuses in a push, none where it is another push.
func (c *Client) StatusesOf(f Frame) []Status {
	c.t.Helper()
	var body struct {
		Events []struct {
			List []Status `json:"UserStatusList"`
		} `json:"EventArray"`
	}
	c.decode(f.Body, &body)
	if len(body.Events) == 0 {
		return nil
	}
	return decodeCustom(c.t, body.Events[0].List)
}

// KickOf gives the KickType in a push, 0 where it is another push.
func (c *Client) KickOf(f Frame) int {
	c.t.Helper()
	if f.Head.Command != "im_open_status.stat_forceoffline" {
		return 0
	}
	var body struct {
		Events []struct {
			Notify []struct {
				Kick struct {
					Type int `json:"KickType"`
				} `json:"KickoutMsgNotify"`
			} `json:"C2cNotifyMsgArray"`
		} `json:"EventArray"`
	}
	c.decode(f.Body, &body)
	return body.Events[0].Notify[0].Kick.Type
}

// Keep takes from the answer to a login what later frames need.
func (c *Client) Keep(a Answer) Answer {
	c.t.Helper()
	return c.keep(a)
}

// Silence makes the client answer no more pings. It still reads.
func (c *Client) Silence() { c.silent.Store(true) }

// ClosedAt gives when reading ended, zero while the socket is open.
func (c *Client) ClosedAt() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closedAt
}
