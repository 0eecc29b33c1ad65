package history

import (
	"math"
	"math/bits"
	"time"
)

// latencyBuckets are half octaves: the first holds what takes up to 256 µs, the last
// what takes some 6 minutes and more.
const latencyBuckets = 43

// latencies is a histogram. A quantile of it is off by no more than its bucket is
// wide, a fifth up or down of the truth at most.
type latencies [latencyBuckets]uint32

const firstLatency = 256 // µs

func (l *latencies) observe(d time.Duration) { l[latencyBucket(d)]++ }

func latencyBucket(d time.Duration) int {
	us := uint64(max(0, min(d.Microseconds(), 1<<31)))
	octave := bits.Len64(us / firstLatency)
	if octave == 0 {
		return 0
	}
	i := 2*octave - 1
	low := uint64(firstLatency) << (octave - 1)
	if us*us >= 2*low*low { // the upper half, from √2 on
		i++
	}
	return min(i, latencyBuckets-1)
}

// latencyBound is where a bucket ends, in milliseconds.
func latencyBound(i int) float64 {
	return firstLatency * math.Exp2(float64(i)/2) / 1000
}

func (l *latencies) add(o *latencies) {
	for i, n := range o {
		l[i] += n
	}
}

// quantile is in milliseconds, 0 if nothing was observed.
func (l *latencies) quantile(q float64) float64 {
	total := uint64(0)
	for _, n := range l {
		total += uint64(n)
	}
	if total == 0 {
		return 0
	}
	rank, below := q*float64(total), uint64(0)
	for i, n := range l {
		if n == 0 || float64(below+uint64(n)) < rank {
			below += uint64(n)
			continue
		}
		low := 0.0
		if i > 0 {
			low = latencyBound(i - 1)
		}
		within := low + (latencyBound(i)-low)*(rank-float64(below))/float64(n)
		return math.Round(within*100) / 100
	}
	return latencyBound(latencyBuckets - 1)
}
