package e2e_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spoke-sync/spoke/services/internal/embed"
	"github.com/spoke-sync/spoke/services/spoke/demo"
)

// minimal is a configuration without a mistake. Its vendor is never called.
const minimal = `tenant: test
connections:
  erp:
    kind: netsuite
    settings:
      account: "1234567"
      tba:
        consumer_key: literal:a-secret-of-mine
        consumer_secret: literal:a-secret-of-mine
        token_id: literal:a-secret-of-mine
        token_secret: literal:a-secret-of-mine
`

// TestBadStarts starts Spoke where it can't run. It must say why, in one
// sentence that names what to change, and end.
func TestBadStarts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		// prepare makes the trouble in a folder and returns the arguments.
		prepare func(t *testing.T, folder string) []string
		// says is in the message; {folder} stands for the folder.
		says []string
		// lines of the message.
		lines, status int
	}{
		{"busy port", func(t *testing.T, folder string) []string {
			t.Helper()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			t.Cleanup(func() { _ = l.Close() })
			return demoArgs(folder, l.Addr().String())
		}, []string{"is in use by another program", "--listen"}, 1, 1},
		{"locked folder", func(t *testing.T, folder string) []string {
			t.Helper()
			srv, err := embed.Start(embed.Options{Dir: folder})
			require.NoError(t, err)
			t.Cleanup(srv.Stop)
			return demoArgs(folder, freeAddress(t))
		}, []string{"another process is using the data folder {folder}", fmt.Sprintf("process %d", os.Getpid()), "--data"}, 1, 1},
		{"folder of a newer Spoke", func(t *testing.T, folder string) []string {
			t.Helper()
			write(t, filepath.Join(folder, "format"), "99\n")
			return demoArgs(folder, freeAddress(t))
		}, []string{"data folder {folder} has format 99 and this Spoke knows up to 1", "run the newer Spoke"}, 1, 1},
		{"no folder of Spoke's", func(t *testing.T, folder string) []string {
			t.Helper()
			write(t, filepath.Join(folder, "format"), "A4 landscape\n")
			return demoArgs(folder, freeAddress(t))
		}, []string{`the file "format" should hold a number`}, 1, 1},
		{"no configuration", func(_ *testing.T, folder string) []string {
			return []string{"up", "-c", filepath.Join(folder, "spoke.yaml")}
		}, []string{"spoke.yaml: no such file or directory", "spoke up --demo runs without one"}, 2, 1},
		{"unknown key", func(t *testing.T, folder string) []string {
			t.Helper()
			return up(t, folder, minimal+"warehose: {}\n")
		}, []string{"{folder}/spoke.yaml:12:1: unknown field \"warehose\"\n  warehose: …\n  ^"}, 3, 1},
		{"unknown setting", func(t *testing.T, folder string) []string {
			t.Helper()
			return up(t, folder, strings.Replace(minimal, "      account:", "      acount:", 1))
		}, []string{"{folder}/spoke.yaml:6:7: unknown field \"acount\"\n        acount: …\n        ^"}, 3, 1},
		{"unset secret", func(t *testing.T, folder string) []string {
			t.Helper()
			return up(t, folder, strings.Replace(minimal, "token_id: literal:a-secret-of-mine", "token_id: env:SPOKE_E2E_UNSET", 1))
		}, []string{"{folder}/spoke.yaml:10:19: secret: environment variable SPOKE_E2E_UNSET is not set\n"}, 3, 1},
		{"bad flow", func(t *testing.T, folder string) []string {
			t.Helper()
			write(t, filepath.Join(folder, "order.yaml"), "flow: my-customer\nfrom: company\nwhen: company.nam != ''\nto: erp\nobject: customer\nfields:\n  companyName: company.name\n")
			text := strings.Replace(minimal, "    kind: netsuite\n", "    kind: netsuite\n    default_flows: false\n", 1)
			return up(t, folder, text+"flows: [order.yaml]\n")
		}, []string{"{folder}/order.yaml:3:14: undefined field 'nam'; did you mean name?\n  when: company.nam != ''\n               ^"}, 3, 1},
		{"missing flow", func(t *testing.T, folder string) []string {
			t.Helper()
			return up(t, folder, minimal+"flows: [flows/*.yaml]\n")
		}, []string{"{folder}/spoke.yaml: flows: no file matches {folder}/flows/*.yaml"}, 1, 1},
		{"service without a server", func(t *testing.T, folder string) []string {
			t.Helper()
			write(t, filepath.Join(folder, "spoke.yaml"), minimal)
			return []string{"run", "transform", "-c", filepath.Join(folder, "spoke.yaml")}
		}, []string{"no NATS server: set nats.url in the configuration or SPOKE_NATS_URL"}, 1, 1},
		{"unknown service", func(t *testing.T, folder string) []string {
			t.Helper()
			return append(up(t, folder, minimal), "--services", "ingest,sap-sink")
		}, []string{`no service is named "sap-sink": one of ingest, transform, `}, 1, 1},
		{"status of nothing", func(_ *testing.T, folder string) []string {
			return []string{"status", "--data", folder}
		}, []string{"no Spoke has run in {folder}: start it with spoke up"}, 1, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			status, stdout, stderr := run(t, tc.prepare(t, folder)...)
			require.Equal(t, tc.status, status, stderr)
			for _, want := range tc.says {
				require.Contains(t, stderr, strings.ReplaceAll(want, "{folder}", folder))
			}
			require.Len(t, strings.Split(strings.TrimRight(stderr, "\n"), "\n"), tc.lines, stderr)
			require.True(t, strings.HasPrefix(stderr, "spoke: "), stderr)
			require.NotContains(t, stdout+stderr, "a-secret-of-mine")
		})
	}
}

func demoArgs(folder, listen string) []string {
	return []string{"up", "--demo", "--once", "--data", folder, "--listen", listen}
}

// up writes spoke.yaml and returns how it is started.
func up(t *testing.T, folder, text string) []string {
	t.Helper()
	file := filepath.Join(folder, "spoke.yaml")
	write(t, file, text+"data: "+filepath.Join(folder, "data")+"\nhttp: {listen: "+freeAddress(t)+"}\n")
	return []string{"up", "-c", file}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
}

// TestCheck asks the vendors whether they take the credentials.
func TestCheck(t *testing.T) {
	t.Parallel()
	boxes, err := demo.Open(demo.SandboxOptions{Log: discard()})
	require.NoError(t, err)
	t.Cleanup(boxes.Close)
	good := boxes.Config(t.TempDir(), freeAddress(t))
	nobody := "http://" + freeAddress(t)
	for _, tc := range []struct {
		name, text string
		status     int
		says       []string
	}{
		{"all is well", good, 0, []string{
			"ok      connection hubspot (HubSpot)\n", "ok      connection netsuite (NetSuite)\n",
			"ok      connection quickbooks (QuickBooks Online)\n", "ok      connection stripe (Stripe)\n",
		}},
		{"refused credentials", strings.Replace(good, "literal:sk_test_", "literal:sk_test_not", 1), 1, []string{
			"ok      connection hubspot (HubSpot)\n", "FAILED  connection stripe (Stripe)\n",
		}},
		{"nobody there", strings.ReplaceAll(good, boxes.URLs["netsuite"], nobody), 1, []string{
			"ok      connection stripe (Stripe)\n", "FAILED  connection netsuite (NetSuite)\n", "connection refused",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			status, stdout, stderr := run(t, "check", "-c", writeConfig(t, tc.text))
			require.Equal(t, tc.status, status, stdout+stderr)
			for _, want := range tc.says {
				require.Contains(t, stdout, want)
			}
			require.Empty(t, stderr)
		})
	}
}
