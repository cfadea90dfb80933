package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the reverse proxies whose X-Forwarded-For is believed.
type Proxies []netip.Prefix

// ParseProxies reads a list of addresses and CIDRs. The error names the entry
// that is neither.
func ParseProxies(list []string) (Proxies, error) {
	var out Proxies
	for _, text := range list {
		p, err := parseProxy(text)
		if err != nil {
			return nil, fmt.Errorf("%q is neither an address nor a CIDR", text)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

func parseProxy(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" {
			return p, errors.New("no address")
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(a.Unmap(), p.Bits()-96), nil // as peers are compared
	}
	return p, nil
}

func (p Proxies) listed(a netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(a) {
			return true
		}
	}
	return false
}

// Client gives the whole address of who sent a request: the remote one or, where
// that is a proxy, the last in the lines of X-Forwarded-For that is not a proxy's.
// What stands before that one is anybody's word. It is invalid where the proxy says
// none or something else: everyone behind it would share its own. [SE11]
func (p Proxies) Client(r *http.Request) netip.Addr {
	return p.client(r.RemoteAddr, r.Header.Values("X-Forwarded-For"))
}

// Lists reports whether an address is among them.
func (p Proxies) Lists(a netip.Addr) bool { return a.IsValid() && p.listed(a) }

func (p Proxies) client(remote string, forwarded []string) netip.Addr {
	chain := strings.Join(forwarded, ",")
	hop := parseHop(remote)
	for hop.IsValid() && p.listed(hop) {
		i := strings.LastIndexByte(chain, ',')
		hop = parseHop(strings.Trim(chain[i+1:], " \t"))
		chain = chain[:max(i, 0)]
	}
	return hop
}

// parseHop reads an address, with or without a port. A zone is this machine's
// affair and an IPv4 address in IPv6 is that IPv4 address.
func parseHop(text string) netip.Addr {
	a, err := netip.ParseAddr(text)
	if err != nil {
		if strings.HasSuffix(text, "]") {
			text += ":0"
		}
		port, err := netip.ParseAddrPort(text)
		if err != nil {
			return netip.Addr{}
		}
		a = port.Addr()
	}
	return a.Unmap().WithZone("")
}

// network gives what is counted as one address: of IPv6 the /64, for a host has
// all of one to choose from.
func network(a netip.Addr) netip.Addr {
	if !a.Is6() {
		return a
	}
	p, _ := a.Prefix(64) // an IPv6 address has that many bits
	return p.Addr()
}
