package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/spoke-sync/spoke/services/internal/quarantine"
)

type quarantineEditCmd struct {
	ID    uint64 `arg:"" help:"Number of the entry, as ls shows it."`
	File  string `help:"JSON file with the new content, - for standard input; without it $EDITOR opens the present one."`
	where `embed:""`
}

// Run implements the command.
func (c *quarantineEditCmd) Run(s *session) error {
	st, e, err := c.entry(s, c.ID)
	if err != nil {
		return err
	}
	defer st.close()
	content, err := c.content(s, e)
	if err != nil {
		return err
	}
	if bytes.Equal(compact(content), compact(e.Original)) {
		s.printf("nothing was changed; spoke quarantine retry %d tries it as it is\n", e.ID)
		return nil
	}
	out, err := st.desk().Edit(s.ctx, e, content)
	if err != nil {
		return err
	}
	s.printf("%s\n", out)
	return nil
}

func compact(b json.RawMessage) []byte {
	var out bytes.Buffer
	if json.Compact(&out, b) != nil {
		return b
	}
	return out.Bytes()
}

// content reads the new content from where the flags say.
func (c *quarantineEditCmd) content(s *session, e quarantine.Entry) (json.RawMessage, error) {
	switch c.File {
	case "":
		return editor(s, e)
	case "-":
		return io.ReadAll(os.Stdin)
	}
	b, err := os.ReadFile(c.File)
	if err != nil {
		return nil, fmt.Errorf("--file: %w", err)
	}
	return b, nil
}

// editor lets the person change the content in a file that only they can read.
func editor(s *session, e quarantine.Entry) (json.RawMessage, error) {
	program := strings.Fields(os.Getenv("EDITOR"))
	if len(program) == 0 {
		return nil, errors.New("EDITOR names no editor: set it, or give the new content with --file")
	}
	f, err := os.CreateTemp("", fmt.Sprintf("spoke-%d-*.json", e.ID))
	if err != nil {
		return nil, fmt.Errorf("edit: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, e.Original, "", "  "); err != nil {
		return nil, fmt.Errorf("edit: %w", err)
	}
	_, err = f.Write(append(pretty.Bytes(), '\n'))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("edit: %w", err)
	}
	cmd := exec.CommandContext(s.ctx, program[0], append(program[1:], f.Name())...) //nolint:gosec // the person's own editor
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("edit: %s: %w; nothing was changed", program[0], err)
	}
	b, err := os.ReadFile(f.Name())
	if err != nil {
		return nil, fmt.Errorf("edit: %w", err)
	}
	return b, nil
}
