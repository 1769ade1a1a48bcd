//go:build !linux

package powercut

import "errors"

var errNotLinux = errors.New("this is not Linux")

type mounted struct{}

func able() error { return errNotLinux }

func mount(*Disk) (*mounted, error) { return nil, errNotLinux }

func (*mounted) unmount() error { return nil }
