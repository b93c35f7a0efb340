//go:build !linux

package consul

import "os"

// exclusive does nothing: only Linux has leases.
func exclusive(*os.File) (release func()) { return func() {} }
