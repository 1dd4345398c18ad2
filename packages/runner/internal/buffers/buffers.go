// Package buffers lends buffers for a piece of data: small ones, or as large as a DATA frame may be.
package buffers

import (
	"sync"

	"nanoclaw/runner/internal/wire"
)

// SmallBytes is the size of a small buffer.
const SmallBytes = 2048

// Buffer is lent until Return.
type Buffer struct {
	Bytes []byte
	pool  *sync.Pool
}

var small, large sync.Pool

// Get lends a buffer. Ask for a large one where the last piece filled a small one.
func Get(wantLarge bool) *Buffer {
	pool, size := &small, SmallBytes
	if wantLarge {
		pool, size = &large, wire.MaxDataBytes
	}
	if b, ok := pool.Get().(*Buffer); ok {
		return b
	}
	return &Buffer{Bytes: make([]byte, size), pool: pool}
}

// Return gives the buffer back.
func (b *Buffer) Return() { b.pool.Put(b) }
