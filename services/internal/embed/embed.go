// Package embed runs a nats-server inside the process, with JetStream on disk
// and every acknowledged message fsynced.
package embed

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/spoke-sync/spoke/services/internal/durable"
)

// Options of Start.
type Options struct {
	// Dir is the data folder; it is created.
	Dir string
	// Listen is host:port for other processes; port 0 takes a free one. Empty
	// opens no socket.
	Listen string
	// MaxBytes bounds what JetStream stores; 0 means three quarters of the
	// free disk.
	MaxBytes int64
}

// Server is a running server that owns its data folder.
type Server struct {
	*server.Server
	lock *os.File
	url  *url.URL
}

// format is the version of what is stored in the data folder. It is raised
// when an older Spoke could no longer read it.
const format = 1

const (
	lockFile    = "lock"
	versionFile = "format"
	startLimit  = 30 * time.Second
)

// ErrLocked means that another process owns the data folder.
var ErrLocked = errors.New("another process is using the data folder")

// Start locks the folder, checks its format and starts the server.
func Start(o Options) (*Server, error) {
	if err := os.MkdirAll(o.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	lock, err := acquire(o.Dir)
	if err != nil {
		return nil, err
	}
	token := rand.Text()
	s, err := start(o, token)
	if err != nil {
		_ = lock.Close()
		return nil, err
	}
	running := &Server{Server: s, lock: lock}
	if o.Listen != "" {
		if running.url, err = url.Parse(s.ClientURL()); err != nil {
			running.Stop()
			return nil, fmt.Errorf("embedded NATS: %w", err)
		}
		running.url.User = url.User(token)
	}
	return running, nil
}

// URL is how programs reach the server, with the token that it asks for; empty
// when it opened no socket. It is a secret.
func (s *Server) URL() string {
	if s.url == nil {
		return ""
	}
	return s.url.String()
}

func start(o Options, token string) (*server.Server, error) {
	if err := checkFormat(o.Dir); err != nil {
		return nil, err
	}
	opts := &server.Options{
		ServerName: "spoke", NoSigs: true, NoLog: true, DontListen: o.Listen == "",
		JetStream: true, StoreDir: filepath.Join(o.Dir, "nats"), SyncAlways: true,
		JetStreamMaxStore: o.MaxBytes,
	}
	if o.Listen != "" {
		host, port, ok := strings.Cut(o.Listen, ":")
		n, err := strconv.Atoi(port)
		if !ok || err != nil {
			return nil, fmt.Errorf("nats listen address %q: want host:port, such as 127.0.0.1:4222", o.Listen)
		}
		opts.Host, opts.Port, opts.Authorization = host, n, token
		if n == 0 {
			opts.Port = server.RANDOM_PORT
		}
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("embedded NATS: %w", err)
	}
	s.Start()
	if !s.ReadyForConnections(startLimit) {
		s.Shutdown()
		return nil, fmt.Errorf("embedded NATS is not ready after %v (is its port in use, or the disk full?)", startLimit)
	}
	return s, nil
}

// acquire takes the folder's lock for as long as the process lives.
func acquire(dir string) (*os.File, error) {
	path := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator names the folder
	if err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		owner, _ := os.ReadFile(path) //nolint:gosec // as above
		_ = f.Close()
		return nil, fmt.Errorf("%w %s (process %s): stop it first, or choose another folder with --data",
			ErrLocked, dir, strings.TrimSpace(string(owner)))
	}
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return f, nil
}

// checkFormat refuses a folder that a newer Spoke wrote, and marks a new one.
func checkFormat(dir string) error {
	path := filepath.Join(dir, versionFile)
	b, err := os.ReadFile(path) //nolint:gosec // the operator names the folder
	if errors.Is(err, os.ErrNotExist) {
		if err := durable.WriteFile(path, []byte(strconv.Itoa(format)+"\n"), 0o600); err != nil {
			return fmt.Errorf("data folder: %w", err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return fmt.Errorf("data folder %s: the file %q should hold a number: is this a folder of Spoke's?", dir, versionFile)
	}
	if n > format {
		return fmt.Errorf("data folder %s has format %d and this Spoke knows up to %d: run the newer Spoke that wrote it, or choose another folder with --data", dir, n, format)
	}
	return nil
}

// Stop shuts the server down and releases the folder.
func (s *Server) Stop() {
	s.Shutdown()
	s.WaitForShutdown()
	_ = s.lock.Close()
}
