// Package wire cuts the channel into frames and puts frames together: docs/protocol.md, "Frames".
package wire

import "fmt"

// Frame types.
const (
	Hello   = 0x01
	Welcome = 0x02
	Ping    = 0x03
	Pong    = 0x04
	Control = 0x05
	Goodbye = 0x06
	Open    = 0x10
	Data    = 0x11
	End     = 0x12
	Credit  = 0x13
	Message = 0x14
	Close   = 0x15
	Reset   = 0x16
)

// Limits of payloads, in bytes.
const (
	HeaderBytes     = 10
	MaxDataBytes    = 32768
	MaxMessageBytes = 131072
	MaxOpenBytes    = 1048576
)

// Frame is one frame. Payload belongs to the reader and is valid until its next call.
type Frame struct {
	Stream  uint32
	Type    byte
	Lane    byte
	Payload []byte
}

// Violation is a breach of the protocol by the peer; it ends the session.
type Violation struct{ What string }

func (v *Violation) Error() string { return "protocol violation: " + v.What }

// Violationf makes a Violation.
func Violationf(format string, args ...any) error {
	return &Violation{What: fmt.Sprintf(format, args...)}
}

type bounds struct{ min, max uint32 }

var payloadBounds = [Reset + 1]bounds{
	Hello:   {2, MaxOpenBytes},
	Welcome: {2, MaxOpenBytes},
	Ping:    {8, 8},
	Pong:    {8, 8},
	Control: {2, MaxMessageBytes},
	Goodbye: {2, MaxMessageBytes},
	Open:    {2, MaxOpenBytes},
	Data:    {1, MaxDataBytes},
	End:     {0, 0},
	Credit:  {4, 4},
	Message: {2, MaxMessageBytes},
	Close:   {0, 0},
	Reset:   {2, MaxMessageBytes},
}

// checkHeader judges a header before room is made for its payload.
func checkHeader(length, stream uint32, kind, lane byte) error {
	if !((kind >= Hello && kind <= Goodbye) || (kind >= Open && kind <= Reset)) {
		return Violationf("unknown frame type 0x%x", kind)
	}
	if b := payloadBounds[kind]; length < b.min || length > b.max {
		return Violationf("a frame of type 0x%x with %d bytes, expected %d to %d", kind, length, b.min, b.max)
	}
	laned := kind == Data || kind == End || kind == Credit
	if lane > 1 || (lane == 1 && !laned) {
		return Violationf("lane %d on a frame of type 0x%x", lane, kind)
	}
	if (kind < Open) != (stream == 0) {
		return Violationf("stream %d on a frame of type 0x%x", stream, kind)
	}
	return nil
}
