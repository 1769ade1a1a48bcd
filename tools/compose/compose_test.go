package compose_test

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

const root = "../.."

// allInOne runs every service in one process; it needs no container among theirs.
const allInOne = "spoke"

func TestEveryServiceHasAContainer(t *testing.T) {
	t.Parallel()
	project := load(t)
	folders := serviceFolders(t)
	if len(folders) == 0 {
		t.Fatal("no service folders found")
	}
	for _, name := range folders {
		service, ok := project.Services[name]
		if !ok {
			t.Errorf("services/%s has no service in docker-compose.yml", name)
			continue
		}
		if service.Build == nil {
			t.Errorf("%s is not built from this repository", name)
			continue
		}
		if got := filepath.Clean(filepath.Join(service.Build.Context, service.Build.Dockerfile)); got != abs(t, "deploy/Dockerfile") {
			t.Errorf("%s is built from %s, want the one Dockerfile deploy/Dockerfile", name, got)
		}
		if got := service.Build.Args["SERVICE"]; got == nil || *got != name {
			t.Errorf("%s is built with SERVICE=%s", name, deref(got))
		}
	}
	for _, service := range project.Services {
		if service.Build != nil && !slices.Contains(folders, service.Name) {
			t.Errorf("docker-compose.yml builds %s, but there is no services/%s/main.go", service.Name, service.Name)
		}
	}
}

func TestServicesReachNATSAndJaeger(t *testing.T) {
	t.Parallel()
	for _, service := range built(t, load(t)) {
		if got := deref(service.Environment["SPOKE_NATS_URL"]); got != "nats://nats:4222" {
			t.Errorf("%s: SPOKE_NATS_URL is %q", service.Name, got)
		}
		if got := deref(service.Environment["OTEL_EXPORTER_OTLP_ENDPOINT"]); got != "http://jaeger:4318" {
			t.Errorf("%s: OTEL_EXPORTER_OTLP_ENDPOINT is %q", service.Name, got)
		}
		if service.DependsOn["nats"].Condition != types.ServiceConditionHealthy {
			t.Errorf("%s does not wait for a healthy nats", service.Name)
		}
		if !mounts(service, "/etc/spoke/spoke.yaml") {
			t.Errorf("%s has no configuration mounted", service.Name)
		}
	}
}

func TestNATSKeepsItsStreams(t *testing.T) {
	t.Parallel()
	project := load(t)
	nats := service(t, project, "nats")
	config := read(t, mountedFrom(t, nats, "/etc/nats/nats.conf"))
	if !slices.Contains(nats.Command, "/etc/nats/nats.conf") {
		t.Errorf("nats is not started with its configuration: %q", nats.Command)
	}
	store := regexp.MustCompile(`(?m)^\s*store_dir:\s*(\S+)`).FindStringSubmatch(config)
	if store == nil {
		t.Fatal("nats.conf has no store_dir")
	}
	i := slices.IndexFunc(nats.Volumes, func(v types.ServiceVolumeConfig) bool { return v.Target == store[1] })
	if i < 0 || nats.Volumes[i].Type != types.VolumeTypeVolume {
		t.Fatalf("JetStream stores in %s, which is not a volume", store[1])
	}
	if _, ok := project.Volumes[nats.Volumes[i].Source]; !ok {
		t.Errorf("the volume %q is not declared", nats.Volumes[i].Source)
	}
	if !regexp.MustCompile(`(?m)^\s*sync_interval:\s*always$`).MatchString(config) {
		t.Error("nats.conf must say sync_interval: always, or a 2xx of ingest would not mean on disk")
	}
}

func TestJaegerTakesOTLP(t *testing.T) {
	t.Parallel()
	jaeger := service(t, load(t), "jaeger")
	for _, port := range []uint32{4318, 16686} {
		if !slices.ContainsFunc(jaeger.Ports, func(p types.ServicePortConfig) bool { return p.Target == port }) {
			t.Errorf("jaeger does not publish %d", port)
		}
	}
}

func TestPrometheusWatchesEveryService(t *testing.T) {
	t.Parallel()
	prometheus := service(t, load(t), "prometheus")
	config := read(t, mountedFrom(t, prometheus, "/etc/prometheus/prometheus.yml"))
	rules := read(t, filepath.Join(mountedFrom(t, prometheus, "/etc/prometheus/rules"), "rules.yml"))
	for _, name := range serviceFolders(t) {
		if !regexp.MustCompile(`(?m)(- |\[)` + name + `(\]|$)`).MatchString(config) {
			t.Errorf("prometheus.yml does not scrape %s", name)
		}
		if !strings.Contains(rules, `service="`+name+`"`) {
			t.Errorf("no alert in rules.yml watches over %s", name)
		}
	}
}

func TestPortsStayOnThisMachine(t *testing.T) {
	t.Parallel()
	published := 0
	for _, service := range load(t).Services {
		if service.NetworkMode == "host" {
			t.Errorf("%s uses the host's network", service.Name)
		}
		for _, port := range service.Ports {
			published++
			ip, err := netip.ParseAddr(port.HostIP)
			if err != nil || !ip.IsLoopback() {
				t.Errorf("%s publishes %s on %q, not on 127.0.0.1", service.Name, port.Published, port.HostIP)
			}
		}
	}
	if published == 0 {
		t.Error("no port is published at all")
	}
}

func TestMountedFilesExist(t *testing.T) {
	t.Parallel()
	for _, service := range load(t).Services {
		for _, volume := range service.Volumes {
			if volume.Type != types.VolumeTypeBind {
				continue
			}
			if _, err := os.Stat(volume.Source); err != nil {
				t.Errorf("%s mounts a file that is not there: %v", service.Name, err)
			}
			if !volume.ReadOnly {
				t.Errorf("%s may write to %s", service.Name, volume.Source)
			}
		}
	}
}

func TestServicesRunWithFewRights(t *testing.T) {
	t.Parallel()
	for _, service := range built(t, load(t)) {
		if !service.ReadOnly || !slices.Contains(service.CapDrop, "ALL") || service.Privileged {
			t.Errorf("%s: read_only %t, cap_drop %q, privileged %t", service.Name, service.ReadOnly, service.CapDrop, service.Privileged)
		}
	}
	dockerfile := read(t, abs(t, "deploy/Dockerfile"))
	for _, want := range []string{"\nARG SERVICE\n", "CGO_ENABLED=0", ":nonroot\n"} {
		if !strings.Contains(dockerfile, want) {
			t.Errorf("deploy/Dockerfile lacks %q", strings.TrimSpace(want))
		}
	}
}

func load(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{abs(t, "docker-compose.yml")},
		cli.WithWorkingDirectory(abs(t, ".")), cli.WithoutEnvironmentResolution)
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// serviceFolders lists the folders below services/ that are a microservice: those with a main.go,
// but not the all-in-one.
func serviceFolders(t *testing.T) []string {
	t.Helper()
	mains, err := filepath.Glob(abs(t, "services/*/main.go"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range mains {
		if name := filepath.Base(filepath.Dir(file)); name != allInOne {
			names = append(names, name)
		}
	}
	return names
}

func built(t *testing.T, project *types.Project) []types.ServiceConfig {
	t.Helper()
	var services []types.ServiceConfig
	for _, service := range project.Services {
		if service.Build != nil {
			services = append(services, service)
		}
	}
	if len(services) == 0 {
		t.Fatal("docker-compose.yml builds nothing")
	}
	return services
}

func service(t *testing.T, project *types.Project, name string) types.ServiceConfig {
	t.Helper()
	found, ok := project.Services[name]
	if !ok {
		t.Fatalf("docker-compose.yml has no %s", name)
	}
	return found
}

func mounts(service types.ServiceConfig, target string) bool {
	return slices.ContainsFunc(service.Volumes, func(v types.ServiceVolumeConfig) bool { return v.Target == target })
}

func mountedFrom(t *testing.T, service types.ServiceConfig, target string) string {
	t.Helper()
	for _, volume := range service.Volumes {
		if volume.Target == target && volume.Type == types.VolumeTypeBind {
			return volume.Source
		}
	}
	t.Fatalf("%s mounts nothing at %s", service.Name, target)
	return ""
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("docker-compose.yml relies on %s, which does not exist", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func abs(t *testing.T, path string) string {
	t.Helper()
	absolute, err := filepath.Abs(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return absolute
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
