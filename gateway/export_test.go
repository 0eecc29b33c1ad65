package gateway

// Unheard counts the calls to which nobody listens.
func (s *Streams) Unheard() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.forNobody)
}

// MaxDrains is for tests.
const MaxDrains = maxDrains
