package terminal

import "os"

// IsTerminal tells whether somebody sees what is written to a stream, or types what
// is read of it.
func IsTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull) // which is such a device too
	return err != nil || !os.SameFile(info, null)
}
