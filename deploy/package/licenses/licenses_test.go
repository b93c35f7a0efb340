package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoLicenseFile checks that a module without a licence file is an error that names it.
func TestNoLicenseFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	must(t, os.WriteFile(filepath.Join(folder, "license.go"), []byte("package p"), 0o600))
	err := texts{}.collect(part{"example.com/m", "v1.0.0", ""}, folder, folder)
	if err == nil || !strings.Contains(err.Error(), "example.com/m has no licence file") {
		t.Errorf("%v", err)
	}
}

// TestUnknownLicense checks that a licence that has no identifier here is an error that names the module.
func TestUnknownLicense(t *testing.T) {
	t.Parallel()
	_, err := texts{"You owe me a beer.": {{"example.com/m", "v1.0.0", ""}}}.identify()
	if err == nil || !strings.Contains(err.Error(), "example.com/m") {
		t.Errorf("%v", err)
	}
}

// TestTexts checks what is written for a module with a licence, and for a package in it with one of its own.
func TestTexts(t *testing.T) {
	t.Parallel()
	module := t.TempDir()
	folder := filepath.Join(module, "internal", "other")
	must(t, os.MkdirAll(folder, 0o700))
	must(t, os.WriteFile(filepath.Join(module, "COPYING.md"), []byte("\nLicensed under the Apache License,\n Version 2.0\r\n"), 0o600))
	must(t, os.WriteFile(filepath.Join(folder, "LICENSE"),
		[]byte("Redistribution  and use in\nsource and binary forms"), 0o600))
	found := texts{}
	must(t, found.collect(part{"example.com/m", "v1.0.0", ""}, module, folder))
	must(t, found.collect(part{"example.com/m", "v1.0.0", ""}, module, module)) // adds nothing
	ids, err := found.identify()
	must(t, err)
	if got := ids["example.com/m"]; got != "Apache-2.0 AND BSD-2-Clause" {
		t.Errorf("identified as %q", got)
	}
	var out bytes.Buffer
	must(t, found.write(&out))
	rule := strings.Repeat("=", 80)
	want := heading + "\n" + rule + "\n\n* example.com/m v1.0.0\n\nLicensed under the Apache License,\n Version 2.0\n\n" +
		rule + "\n\n* example.com/m v1.0.0, in internal/other\n\nRedistribution  and use in\nsource and binary forms\n\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
