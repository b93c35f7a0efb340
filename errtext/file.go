package errtext

import (
	"errors"
	"io/fs"
	"os"
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
