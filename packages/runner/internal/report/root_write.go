package report

import (
	"crypto/rand"
	"encoding/hex"
	"syscall"
)

// rootWrite tries to create a file in the directory, and tells the errno, or `ok`.
func rootWrite(directory string) string {
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		panic(err)
	}
	path := directory + "/.nanoclaw-probe-" + hex.EncodeToString(random[:])
	fd, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_EXCL|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0o600)
	if err == nil {
		syscall.Close(fd)
		syscall.Unlink(path)
	}
	return errnoName(err)
}
