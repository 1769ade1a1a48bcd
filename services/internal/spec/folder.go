package spec

import (
	"fmt"
	"os"
	"path/filepath"
)

// folderEnv names the folder of the descriptions.
const folderEnv = "SPOKE_SPECS"

// folder returns the folder that holds one vendor's description.
func folder(vendor string) (string, error) {
	root := os.Getenv(folderEnv)
	if root == "" {
		checkout, err := checkout()
		if err != nil {
			return "", err
		}
		root = filepath.Join(checkout, "..", "shared", "specs")
	}
	dir := filepath.Join(root, vendor)
	if _, err := os.Stat(dir); err != nil { //nolint:gosec // whoever runs the tests says where
		return "", fmt.Errorf("the description of %s's API is %w: no folder %s; set %s to where the descriptions are",
			vendor, ErrAbsent, dir, folderEnv)
	}
	return dir, nil
}

// checkout finds the root of the checkout from a package's folder.
func checkout() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the checkout: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("find the checkout: go.work is %w here and above", ErrAbsent)
		}
		dir = parent
	}
}
