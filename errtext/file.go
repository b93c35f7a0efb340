package errtext

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"syscall"
)

// File describes an error of the file system without the name of the system call: "/etc/x does not exist",
// "/etc/x: permission denied". Another error has its own text. File returns "" for nil.
func File(err error) string {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &path):
		return about(path.Path, path.Err)
	case errors.As(err, &link):
		return about(link.New, link.Err)
	default:
		return err.Error()
	}
}

func about(path string, err error) string {
	if errors.Is(err, syscall.ENOENT) {
		return path + " does not exist"
	}
	return path + ": " + err.Error()
}

// Listen describes why a port could not be opened: "10.0.0.1:6000 is in use". Another error has its own text.
func Listen(err error) string {
	var op *net.OpError
	if !errors.As(err, &op) || op.Addr == nil {
		return err.Error()
	}
	switch address := op.Addr.String(); {
	case errors.Is(err, syscall.EADDRINUSE):
		return address + " is in use"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return address + " is not an address of this machine"
	case errors.Is(err, syscall.EACCES):
		return "this user may not listen on " + address
	default:
		return err.Error()
	}
}

// Command describes why a program did not run to its end, or could not be started: "ended with exit code 3". Another
// error has its own text.
func Command(err error) string {
	var ended *exec.ExitError
	var status syscall.WaitStatus
	if errors.As(err, &ended) {
		status, _ = ended.Sys().(syscall.WaitStatus)
	}
	switch {
	case ended != nil && status.Signaled():
		return "was ended by the signal " + status.Signal().String()
	case ended != nil:
		return fmt.Sprintf("ended with exit code %d", ended.ExitCode())
	case errors.Is(err, exec.ErrNotFound):
		return "is in no folder of PATH"
	case errors.Is(err, syscall.ENOENT):
		return "does not exist, or the interpreter in its first line does not"
	case errors.Is(err, syscall.EACCES):
		return "may not be run by the user of the sidecar"
	case errors.Is(err, syscall.ENOEXEC):
		return "has no first line that names its interpreter, such as #!/bin/sh"
	default:
		return err.Error()
	}
}
