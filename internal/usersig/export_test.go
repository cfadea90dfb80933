package usersig

// InflateForTest unpacks a zlib stream as Verify does.
func InflateForTest(src []byte, limit int) ([]byte, bool) {
	out, why := new(inflater).inflate(nil, src, limit)
	return out, why == ""
}
