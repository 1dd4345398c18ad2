package archive

import (
	"archive/tar"
	"syscall"
	"time"
	"unicode/utf8"
)

// maxSeconds keeps times of modification, which are the payload's to choose, within what every tar reads.
const maxSeconds = 1<<33 - 1

// header writes an entry's header: name, kind, permission bits, time in whole seconds; owners are left out.
func (p *packer) header(kind byte, name, target string, size int64, stat syscall.Stat_t) error {
	seconds := int64(stat.Mtim.Sec)
	if seconds < 0 {
		seconds = 0
	}
	if seconds > maxSeconds {
		seconds = maxSeconds
	}
	header := &tar.Header{
		Typeflag: kind,
		Name:     name,
		Linkname: target,
		Size:     size,
		Mode:     int64(stat.Mode & 0o7777),
		ModTime:  time.Unix(seconds, 0),
	}
	if !utf8.ValidString(name) || !utf8.ValidString(target) {
		// PAX is UTF-8 by definition; GNU's long names are bytes.
		header.Format = tar.FormatGNU
	}
	if err := p.tar.WriteHeader(header); err != nil {
		return err
	}
	p.count++
	return nil
}
