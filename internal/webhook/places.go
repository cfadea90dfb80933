package webhook

// places numbers the events of one application that are kept. A place is open
// from when it is taken until its event is committed or will never be; the
// events are sent up to the first open one, so that none is passed over that
// is written later than the ones after it.
type places struct {
	low    int64  // the first that may be open
	closed []bool // of low and those after it that are taken
}

// take takes n places in a row and gives the first.
func (p *places) take(n int) int64 {
	first := p.low + int64(len(p.closed))
	p.closed = append(p.closed, make([]bool, n)...)
	return first
}

// close says that nothing more will happen at n places.
func (p *places) close(first int64, n int) {
	for i := first - p.low; i < first-p.low+int64(n); i++ {
		if i >= 0 && i < int64(len(p.closed)) {
			p.closed[i] = true
		}
	}
	done := 0
	for done < len(p.closed) && p.closed[done] {
		done++
	}
	p.low += int64(done)
	if p.closed = p.closed[done:]; len(p.closed) == 0 {
		p.closed = nil
	}
}

// safe gives the last place before which, and at which, none is open.
func (p *places) safe() int64 { return p.low - 1 }
