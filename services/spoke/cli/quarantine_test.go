package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMending goes through what a person does with one entry.
func TestMending(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	do := func(want int, args ...string) string {
		t.Helper()
		status, out, errw := spoke(append(args, "--data", dir)...)
		require.Equal(t, want, status, out+errw)
		return out + errw
	}
	require.Contains(t, do(1, "quarantine", "retry"), "say --all")
	require.Contains(t, do(1, "quarantine", "retry", "99"), "not in quarantine")
	require.Contains(t, do(1, "quarantine", "show", "99"), "no longer in quarantine")
	require.Contains(t, do(1, "quarantine", "ls", "--since", "yesterday"), "want a time such as")
	require.Contains(t, do(1, "quarantine", "ls", "--record", "deal"), "want entity/id")

	edit := func(content string) string {
		file := filepath.Join(t.TempDir(), "edited.json")
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		return file
	}
	show := do(0, "quarantine", "show", "1")
	content := show[strings.Index(show, "{"):]
	require.Contains(t, do(0, "quarantine", "edit", "1", "--file", edit(content)), "nothing was changed")
	other := strings.Replace(content, "deal/77", "deal/78", 1)
	require.Contains(t, do(1, "quarantine", "edit", "1", "--file", edit(other)), "must stay")
	require.Equal(t, "retried\n", do(0, "quarantine", "edit", "1", "--file", edit(strings.Replace(content, "EUR", "USD", 1))))
	require.Contains(t, do(0, "quarantine", "ls"), "nothing is set apart")
	require.Contains(t, do(1, "quarantine", "retry", "1"), "not in quarantine")
}

func TestDropping(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	status, out, errw := spoke("quarantine", "drop", "--connection", "stripe", "--data", dir)
	require.Zero(t, status, errw)
	require.Equal(t, "dropped 1\n", out)
	status, out, errw = spoke("quarantine", "drop", "--connection", "stripe", "--data", dir)
	require.Zero(t, status, errw)
	require.Equal(t, "nothing in quarantine is selected\n", out)
}
