package wire

import "encoding/binary"

// Append puts one frame at the end of buffer.
func Append(buffer []byte, kind byte, stream uint32, lane byte, payload []byte) []byte {
	return append(appendHeader(buffer, len(payload), kind, stream, lane), payload...)
}

// AppendText is Append for a payload that is a string.
func AppendText(buffer []byte, kind byte, stream uint32, payload string) []byte {
	return append(appendHeader(buffer, len(payload), kind, stream, 0), payload...)
}

// AppendCredit puts a CREDIT frame at the end of buffer.
func AppendCredit(buffer []byte, stream uint32, lane byte, bytes uint32) []byte {
	buffer = appendHeader(buffer, 4, Credit, stream, lane)
	return append(buffer, byte(bytes>>24), byte(bytes>>16), byte(bytes>>8), byte(bytes))
}

func appendHeader(buffer []byte, length int, kind byte, stream uint32, lane byte) []byte {
	var header [HeaderBytes]byte
	binary.BigEndian.PutUint32(header[:], uint32(length))
	binary.BigEndian.PutUint32(header[4:], stream)
	header[8] = kind
	header[9] = lane
	return append(buffer, header[:]...)
}
