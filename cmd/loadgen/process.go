package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// process is the server's, as /proc shows it.
type process struct {
	pid int
}

// sample is what a process held and had used at one moment.
type sample struct {
	When     string        `json:"when"` // before, or the phase it was taken after
	Resident int64         `json:"residentBytes"`
	CPU      time.Duration `json:"cpu"` // since it started
}

// ticksPerSecond is Linux's unit of processor time towards programs, on every
// architecture.
const ticksPerSecond = 100

// sample reads what the process holds now.
func (p process) sample(when string) (sample, error) {
	s := sample{When: when}
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.pid))
	if err != nil {
		return s, fmt.Errorf("measure the server (-pid %d): %w", p.pid, err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		return s, fmt.Errorf("measure the server (-pid %d): %w", p.pid, err)
	}
	pages, err := residentPages(string(statm))
	if err != nil {
		return s, err
	}
	s.Resident = pages * int64(os.Getpagesize())
	s.CPU, err = cpuOf(stat)
	return s, err
}

var errProcFormat = errors.New("/proc is not as Linux writes it")

// residentPages reads /proc/PID/statm: size, resident, …
func residentPages(statm string) (int64, error) {
	fields := strings.Fields(statm)
	if len(fields) < 2 {
		return 0, errProcFormat
	}
	return strconv.ParseInt(fields[1], 10, 64)
}

// cpuOf reads /proc/PID/stat: the 14th and 15th fields, counted past the name,
// which may hold anything.
func cpuOf(stat []byte) (time.Duration, error) {
	_, rest, ok := bytes.Cut(stat[max(0, bytes.LastIndexByte(stat, ')')):], []byte(") "))
	fields := bytes.Fields(rest)
	if !ok || len(fields) < 13 {
		return 0, errProcFormat
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, errProcFormat
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}

// descriptors gives how many descriptors the process may hold, 0 if nobody knows.
func (p process) descriptors() int {
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", p.pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(limits)) {
		if rest, ok := strings.CutPrefix(line, "Max open files"); ok {
			soft, _ := strconv.Atoi(strings.Fields(rest + " 0")[0]) // "unlimited" is 0: unknown
			return soft
		}
	}
	return 0
}
