package testkit

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// Cluster is a PostgreSQL server of the test's own, to be killed.
type Cluster struct {
	t       testing.TB
	pidFile string

	DSN string // address of its first database
}

// StartCluster starts a server by scripts/postgres.sh, which starts it again
// when it dies, and ends it with the test. It skips the test where that of
// [Postgres] is skipped.
func StartCluster(t testing.TB) *Cluster {
	t.Helper()
	if !OnPostgres() {
		t.Skipf("%s is not set: scripts/postgres.sh go test ... sets it", postgresEnv)
	}
	_, file, _, _ := runtime.Caller(0)
	script := filepath.Join(filepath.Dir(file), "..", "..", "scripts", "postgres.sh")
	const say = `echo "$PORCHLIGHT_TEST_POSTGRES"; echo "$PORCHLIGHT_TEST_POSTGRES_PID"; exec cat`
	cmd := exec.CommandContext(context.Background(), script, "sh", "-c", say) //nolint:gosec // G204: a script of ours
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close() // which ends cat, and so the script
		if err := cmd.Wait(); err != nil {
			t.Errorf("the PostgreSQL server of the test: %v %s", err, &stderr)
		}
	})
	lines := bufio.NewScanner(stdout)
	var got []string
	for len(got) < 2 && lines.Scan() {
		got = append(got, lines.Text())
	}
	if len(got) < 2 {
		t.Fatalf("the PostgreSQL server of the test did not start: %s", &stderr)
	}
	return &Cluster{t: t, DSN: got[0], pidFile: got[1]}
}

// Kill sends a signal to the server's first process. SIGKILL and SIGQUIT end it
// and all connections at once; it comes back by itself.
func (c *Cluster) Kill(signal os.Signal) {
	c.t.Helper()
	text, err := os.ReadFile(c.pidFile)
	if err != nil {
		c.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		c.t.Fatal(err)
	}
	if server, err := os.FindProcess(pid); err == nil {
		_ = server.Signal(signal) // it may be dead already
	}
}
