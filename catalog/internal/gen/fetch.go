package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// maxFile is above the size of every file that is read.
const maxFile = 16 << 20

// fetch has npm fetch a package, which checks it, and unpacks it.
func fetch(dir, name, version string) (string, error) {
	pack := exec.Command("npm", "pack", "--silent", name+"@"+version) //nolint:gosec // constants of this program
	pack.Dir, pack.Stderr = dir, os.Stderr
	output, err := pack.Output()
	if err != nil {
		return "", fmt.Errorf("npm pack: %w", err)
	}
	archive := filepath.Join(dir, strings.TrimSpace(string(output)))
	into := archive + ".d"
	return into, unpack(archive, into)
}

func unpack(archive, into string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	decompressed, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	for files := tar.NewReader(decompressed); ; {
		file, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(file.Name, "package/")
		if file.Typeflag != tar.TypeReg || !filepath.IsLocal(name) {
			continue
		}
		text, err := io.ReadAll(io.LimitReader(files, maxFile))
		if err != nil {
			return err
		}
		path := filepath.Join(into, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return err
		}
	}
}
