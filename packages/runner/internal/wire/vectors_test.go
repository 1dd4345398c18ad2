package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"runtime"
	"testing"
)

const vectors = "../../../../test/protocol-vectors/"

type vectorFrame struct {
	Type       byte
	Stream     uint32
	Lane       byte
	PayloadHex string
}

type frameVector struct {
	Name, Hex, Outcome, Reason string
	Frames                     []vectorFrame
}

func load(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(vectors + file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

// pieces hands out bytes cut at one place, or one by one.
type pieces struct {
	bytes  []byte
	cut    int // -1: byte by byte
	offset int
}

func (p *pieces) Read(buffer []byte) (int, error) {
	if p.offset == len(p.bytes) {
		return 0, io.EOF
	}
	end := len(p.bytes)
	if p.cut < 0 {
		end = p.offset + 1
	} else if p.offset < p.cut {
		end = p.cut
	}
	n := copy(buffer, p.bytes[p.offset:end])
	p.offset += n
	return n, nil
}

func readAll(source io.Reader) (frames []vectorFrame, err error) {
	reader := NewReader(source)
	for {
		frame, err := reader.Next()
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return frames, nil
		}
		if err != nil {
			return frames, err
		}
		frames = append(frames, vectorFrame{frame.Type, frame.Stream, frame.Lane, hex.EncodeToString(frame.Payload)})
	}
}

func TestFrameVectors(t *testing.T) {
	var all []frameVector
	load(t, "frames.json", &all)
	if len(all) < 100 {
		t.Fatalf("only %d vectors", len(all))
	}
	for _, vector := range all {
		input, err := hex.DecodeString(vector.Hex)
		if err != nil {
			t.Fatal(err)
		}
		cuts := []int{-1}
		for cut := 0; cut <= len(input) && cut < 600; cut++ {
			cuts = append(cuts, cut)
		}
		for _, cut := range cuts {
			frames, err := readAll(&pieces{bytes: input, cut: cut})
			_, violated := err.(*Violation)
			if violated != (vector.Outcome == "violation") || (err != nil && !violated) {
				t.Fatalf("%s, cut at %d: %v, expected %s", vector.Name, cut, err, vector.Outcome)
			}
			if len(frames) != len(vector.Frames) {
				t.Fatalf("%s, cut at %d: %d frames, expected %d", vector.Name, cut, len(frames), len(vector.Frames))
			}
			for i := range frames {
				if frames[i] != vector.Frames[i] {
					t.Fatalf("%s, cut at %d: frame %d is another", vector.Name, cut, i)
				}
			}
		}
	}
}

func TestAppendMakesTheVectors(t *testing.T) {
	var all []frameVector
	load(t, "frames.json", &all)
	for _, vector := range all {
		if vector.Outcome != "ok" || len(vector.Frames) == 0 {
			continue
		}
		var made []byte
		for _, frame := range vector.Frames {
			payload, _ := hex.DecodeString(frame.PayloadHex)
			made = Append(made, frame.Type, frame.Stream, frame.Lane, payload)
		}
		if hex.EncodeToString(made) != vector.Hex {
			t.Errorf("%s: made other bytes", vector.Name)
		}
	}
}

func TestJSONVectors(t *testing.T) {
	var all []struct{ Name, Text, Hex, Outcome string }
	load(t, "json.json", &all)
	if len(all) < 50 {
		t.Fatalf("only %d vectors", len(all))
	}
	for _, vector := range all {
		text := []byte(vector.Text)
		if vector.Hex != "" {
			text, _ = hex.DecodeString(vector.Hex)
		}
		if err := CheckJSON(text); (err != nil) != (vector.Outcome == "violation") {
			t.Errorf("%s: %v, expected %s", vector.Name, err, vector.Outcome)
		}
	}
}

func TestLargePayloadGrowsWithWhatArrives(t *testing.T) {
	header := appendHeader(nil, MaxOpenBytes, Open, 1, 0)
	endless := io.MultiReader(bytes.NewReader(header), bytes.NewReader(make([]byte, 70_000)))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := NewReader(endless).Next(); err != io.ErrUnexpectedEOF {
		t.Fatal(err)
	}
	if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > MaxOpenBytes/2 {
		t.Fatalf("%d bytes were allocated for 70,000", after.TotalAlloc-before.TotalAlloc)
	}
	whole := append(header, bytes.Repeat([]byte("z"), MaxOpenBytes)...)
	frame, err := NewReader(&pieces{bytes: whole, cut: 12345}).Next()
	if err != nil || len(frame.Payload) != MaxOpenBytes || frame.Payload[MaxOpenBytes-1] != 'z' {
		t.Fatalf("%v, %d bytes", err, len(frame.Payload))
	}
}

func FuzzFrameReader(f *testing.F) {
	f.Add([]byte{}, 3)
	f.Add(Append(Append(nil, Data, 1, 1, []byte("abc")), End, 1, 0, nil), 12)
	f.Add(appendHeader(nil, 0x7fffffff, Open, 1, 0), 5)
	f.Fuzz(func(t *testing.T, input []byte, cut int) {
		if cut < 0 || cut > len(input) {
			cut = 0
		}
		whole, wholeErr := readAll(bytes.NewReader(input))
		for _, c := range []int{-1, cut} {
			frames, err := readAll(&pieces{bytes: input, cut: c})
			if (err == nil) != (wholeErr == nil) || len(frames) != len(whole) {
				t.Fatalf("cut at %d: %d frames, %v; whole: %d frames, %v", c, len(frames), err, len(whole), wholeErr)
			}
		}
		var again []byte
		for _, frame := range whole {
			payload, _ := hex.DecodeString(frame.PayloadHex)
			again = Append(again, frame.Type, frame.Stream, frame.Lane, payload)
		}
		if !bytes.HasPrefix(input, again) {
			t.Fatal("frames that were not sent")
		}
	})
}

func FuzzCheckJSON(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":"\u0061"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if CheckJSON(text) == nil {
			var value map[string]any
			if err := json.Unmarshal(text, &value); err != nil {
				t.Fatalf("accepted, but %v", err)
			}
		}
	})
}
