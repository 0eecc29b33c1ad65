package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// cpu is the CPU time that the process has taken so far, from the kernel's
// clock of that process. The clock's id is made of the pid: see clock_getcpuclockid(3).
func (p *process) cpu() (time.Duration, error) {
	const schedulerClock = 2
	var t unix.Timespec
	err := unix.ClockGettime(int32(^p.cmd.Process.Pid<<3|schedulerClock), &t) //nolint:gosec // as the kernel has it
	return time.Duration(t.Nano()), err
}

// sleepUntil sleeps more exactly than [time.Sleep], which wakes many sleepers in the
// same millisecond.
func sleepUntil(at time.Time) {
	if wait := time.Until(at); wait > 0 {
		t := unix.NsecToTimespec(wait.Nanoseconds())
		_ = unix.Nanosleep(&t, nil)
	}
}
