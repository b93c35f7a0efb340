package main_test

import (
	"fmt"
	"os"
	"syscall"
)

// mountFUSE mounts a file system over a folder, whose requests are for whoever reads the device.
func mountFUSE(device *os.File, folder string) error {
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", device.Fd())
	return syscall.Mount("hang", folder, "fuse", syscall.MS_NOSUID|syscall.MS_NODEV, options)
}
