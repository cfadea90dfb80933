package webhook

import (
	"fmt"
	"net/netip"
	"syscall"
)

// refusedNets are the networks that are not the Internet: a webhook that reached
// them would let who sets a URL look into the operator's own network. Addresses
// in an IPv6 form of IPv4 are judged as that. [WE23]
var refusedNets = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
	"::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10",
	"fec0::/10", "ff00::/8",
)

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// Nets are networks that webhooks may reach although they are not the Internet.
type Nets []netip.Prefix

// ParseNets reads a list of addresses and CIDRs. The error names the entry that
// is neither.
func ParseNets(list []string) (Nets, error) {
	var out Nets
	for _, text := range list {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			a, err := netip.ParseAddr(text)
			if err != nil || a.Zone() != "" {
				return nil, fmt.Errorf("%q is neither an address nor a CIDR", text)
			}
			p = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// refusedError says that an address must not be reached.
type refusedError struct{ addr netip.Addr }

// Error names the address and the way to allow it.
func (e *refusedError) Error() string {
	return fmt.Sprintf("%s is not an address on the Internet; webhook.allow in the configuration lists exceptions", e.addr)
}

// check refuses an address that is neither on the Internet nor listed.
func (n Nets) check(addr netip.Addr) error {
	plain := addr.Unmap()
	for _, p := range n {
		if p.Contains(plain) {
			return nil
		}
	}
	for _, a := range []netip.Addr{plain, embedded(plain)} {
		if !a.IsValid() {
			continue
		}
		for _, p := range refusedNets {
			if p.Contains(a) {
				return &refusedError{addr}
			}
		}
	}
	if plain.Zone() != "" || !plain.IsValid() {
		return &refusedError{addr}
	}
	return nil
}

// embedded gives the IPv4 address that a gateway would make of an IPv6 one: by
// NAT64 or 6to4.
func embedded(a netip.Addr) netip.Addr {
	if !a.Is6() {
		return netip.Addr{}
	}
	b := a.As16()
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(a):
		return netip.AddrFrom4([4]byte(b[12:16]))
	case netip.MustParsePrefix("2002::/16").Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return netip.Addr{}
}

// control is called with each address that is about to be connected to, after
// every lookup: what is checked is what is dialled, whatever a name says next.
func (n Nets) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("read the address: %w", err)
	}
	return n.check(at.Addr())
}
