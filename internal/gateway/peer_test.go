package gateway

import (
	"net/netip"
	"strings"
	"testing"
)

// proxies parses a list that is good.
func proxies(t testing.TB, list ...string) Proxies {
	t.Helper()
	p, err := ParseProxies(list)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestSE11_AddressOfAClient(t *testing.T) {
	const proxy = "127.0.0.1:4711"
	listed := proxies(t, "127.0.0.0/8", "::1", "10.1.2.3/16", "2001:db8:ffff::/48", "::ffff:192.0.2.0/120")
	for name, c := range map[string]struct {
		remote string
		lines  []string
		want   string // "" for unknown
	}{
		"no proxy":                       {"203.0.113.9:1", nil, "203.0.113.9"},
		"no proxy, with a header":        {"203.0.113.9:1", []string{"198.51.100.1"}, "203.0.113.9"},
		"no proxy, by IPv6":              {"[2001:db8:1:2:3:4:5:6]:1", nil, "2001:db8:1:2::"},
		"no proxy, IPv4 in IPv6":         {"[::ffff:203.0.113.9]:1", nil, "203.0.113.9"},
		"no proxy, with a zone":          {"[fe80::1%eth0]:1", nil, "fe80::"},
		"no address at all":              {"pipe", []string{"198.51.100.1"}, ""},
		"nothing at all":                 {"", nil, ""},
		"a proxy that says nothing":      {proxy, nil, ""},
		"a proxy that says an empty one": {proxy, []string{""}, ""},
		"a proxy":                        {proxy, []string{"198.51.100.1"}, "198.51.100.1"},
		"a proxy by IPv6":                {"[::1]:4711", []string{"198.51.100.1"}, "198.51.100.1"},
		"a proxy by IPv4 in IPv6":        {"[::ffff:127.0.0.1]:4711", []string{"198.51.100.1"}, "198.51.100.1"},
		"a proxy listed as IPv4 in IPv6": {"192.0.2.7:1", []string{"198.51.100.1"}, "198.51.100.1"},
		"outside a list's mask":          {"10.2.2.3:1", []string{"198.51.100.1"}, "10.2.2.3"},
		"one that lies before it":        {proxy, []string{"9.9.9.9, 198.51.100.1"}, "198.51.100.1"},
		"one that lies in another line":  {proxy, []string{"9.9.9.9", "198.51.100.1"}, "198.51.100.1"},
		"a lie that is no address":       {proxy, []string{"<script>, 198.51.100.1"}, "198.51.100.1"},
		"a lie that is empty":            {proxy, []string{",,198.51.100.1"}, "198.51.100.1"},
		"a chain of proxies":             {proxy, []string{"198.51.100.1, 10.1.0.1, ::1"}, "198.51.100.1"},
		"a chain in lines":               {proxy, []string{"198.51.100.1", "10.1.0.1", "2001:db8:ffff::7"}, "198.51.100.1"},
		"a chain with a lie":             {proxy, []string{"10.1.0.9, 198.51.100.1, 10.1.0.1"}, "198.51.100.1"},
		"a chain of proxies alone":       {proxy, []string{"10.1.0.2, 10.1.0.1"}, ""},
		"a chain with a word in it":      {proxy, []string{"198.51.100.1, unknown, 10.1.0.1"}, ""},
		"a word last":                    {proxy, []string{"198.51.100.1, unknown"}, ""},
		"a comma last":                   {proxy, []string{"198.51.100.1,"}, ""},
		"an empty line last":             {proxy, []string{"198.51.100.1", ""}, ""},
		"spaces and tabs":                {proxy, []string{" \t198.51.100.1\t "}, "198.51.100.1"},
		"other spaces":                   {proxy, []string{"198.51.100.1\u00a0"}, ""},
		"a port":                         {proxy, []string{"198.51.100.1:8080"}, "198.51.100.1"},
		"IPv6":                           {proxy, []string{"2001:db8:1:2::f"}, "2001:db8:1:2::"},
		"IPv6 in brackets":               {proxy, []string{"[2001:db8:1:2::f]"}, "2001:db8:1:2::"},
		"IPv6 with a port":               {proxy, []string{"[2001:db8:1:2::f]:80"}, "2001:db8:1:2::"},
		"IPv6 with a zone":               {proxy, []string{"fe80::1%eth0"}, "fe80::"},
		"IPv4 in IPv6":                   {proxy, []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		"IPv4 in IPv6, a proxy's":        {proxy, []string{"198.51.100.1, ::ffff:10.1.0.1"}, "198.51.100.1"},
		"a quoted one":                   {proxy, []string{`"198.51.100.1"`}, ""},
		"an octal one":                   {proxy, []string{"198.51.100.010"}, ""},
		"a short one":                    {proxy, []string{"198.51.100"}, ""},
		"a number":                       {proxy, []string{"3325256705"}, ""},
		"brackets about IPv4":            {proxy, []string{"[198.51.100.1]"}, ""},
		"a bracket that opens nothing":   {proxy, []string{"198.51.100.1]"}, ""},
		"two in one":                     {proxy, []string{"198.51.100.1 198.51.100.2"}, ""},
		"a port out of range":            {proxy, []string{"198.51.100.1:65536"}, ""},
	} {
		want := netip.Addr{}
		if c.want != "" {
			want = netip.MustParseAddr(c.want)
		}
		if got := network(listed.client(c.remote, c.lines)); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if got := proxies(t).client(proxy, []string{"198.51.100.1"}); got != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("without a list: got %s, want the remote address", got)
	}
	if got := proxies(t, "0.0.0.0/0").client(proxy, []string{"198.51.100.1"}); got.IsValid() {
		t.Errorf("with everybody on the list: got %s, want none", got)
	}
}

// FuzzSE11_AddressOfAClient: whatever a header holds, the address is one that
// can be counted, no proxy's, and nothing to its left changes it.
func FuzzSE11_AddressOfAClient(f *testing.F) {
	for _, s := range [][3]string{
		{"127.0.0.1:80", "198.51.100.1", "10.0.0.1"},
		{"203.0.113.9:1", "9.9.9.9", ""},
		{"[::1]:80", "fe80::1%eth0, ::ffff:10.0.0.1", "[2001:db8::1]:443"},
		{"[::ffff:127.0.0.1]:80", "unknown,,", "198.51.100.1:80, "},
		{"pipe", "[]", "]:0"},
	} {
		f.Add(s[0], s[1], s[2])
	}
	listed := proxies(f, "127.0.0.0/8", "::1", "10.0.0.0/8", "2001:db8:ffff::/48")
	f.Fuzz(func(t *testing.T, remote, one, two string) {
		peer := func(lines ...string) netip.Addr { return network(listed.client(remote, lines)) }
		got := peer(one, two)
		if joined := peer(one + "," + two); joined != got {
			t.Errorf("in two lines %s, in one %s", got, joined)
		}
		if got.IsValid() && (got.Zone() != "" || got.Is4In6() || listed.listed(got) || network(got) != got) {
			t.Errorf("%s cannot be counted", got)
		}
		if left := peer("192.0.2.99, x", one, two); got.IsValid() && left != got {
			t.Errorf("%s, and %s with more to the left", got, left)
		}
		port, err := netip.ParseAddrPort(remote)
		switch direct := port.Addr().Unmap().WithZone(""); {
		case err == nil && !listed.listed(direct) && got != network(direct):
			t.Errorf("%s is no proxy and was taken for %s", direct, got)
		case got.IsValid() && err == nil && listed.listed(direct) && !names(one+","+two, got):
			t.Errorf("%s stands nowhere in %q, %q", got, one, two)
		}
	})
}

// names reports whether an address, or one of its network, stands in a list.
func names(list string, want netip.Addr) bool {
	for text := range strings.SplitSeq(list, ",") {
		if network(parseHop(strings.Trim(text, " \t"))) == want {
			return true
		}
	}
	return false
}
