// Package compose holds the tests that keep docker-compose.yml and the files it mounts true to the
// repository: every service is in it, every file it names exists, and nothing listens beyond this
// machine. It exports nothing.
package compose
