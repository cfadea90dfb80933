package testkit_test

import (
	"testing"

	"github.com/porchlight-im/porchlight/internal/testkit"
)

// TestScenarios plays what anyone can read in testdata/scenario, on the engine
// and over sockets.
func TestScenarios(t *testing.T) { testkit.PlayScenarios(t, "../../testdata/scenario") }
