package kinds

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"nanoclaw/runner/internal/hosttest"
	"nanoclaw/runner/internal/mux"
	"nanoclaw/runner/internal/wire"
)

func start(t *testing.T) *hosttest.Host {
	return hosttest.Start(t, mux.Options{Kinds: New(func() any { return map[string]any{"pid": 1} }).All()})
}

type object = map[string]any

func send(h *hosttest.Host, id uint32, bytes []byte) {
	for len(bytes) > 0 {
		n := len(bytes)
		if n > 8192 {
			n = 8192
		}
		h.Send(wire.Data, id, 0, bytes[:n])
		bytes = bytes[n:]
	}
	h.Send(wire.End, id, 0, nil)
}

func sum(text []byte) string {
	hash := sha256.Sum256(text)
	return hex.EncodeToString(hash[:])
}

func TestFiles(t *testing.T) {
	h := start(t)
	directory := t.TempDir()
	path := filepath.Join(directory, "a", "b.txt")
	text := bytes.Repeat([]byte("0123456789"), 3_000)

	id := h.Open(object{"kind": "write-file", "path": path, "mode": 0o640, "createParents": true})
	send(h, id, text)
	done := h.Finish(id).Last()
	if done["event"] != "done" || done["size"] != float64(len(text)) || done["sha256"] != sum(text) {
		t.Fatal(done)
	}
	result := h.Finish(h.Open(object{"kind": "read-file", "pathBase64": base64.StdEncoding.EncodeToString([]byte(path)), "offset": 0, "length": nil}))
	if !bytes.Equal(result.Output[0], text) || result.Last()["sha256"] != sum(text) || result.Last()["mode"] != float64(0o640) || string(result.Ends) != "\x00" {
		t.Fatal(result.Messages, result.Reset)
	}
	result = h.Finish(h.Open(object{"kind": "read-file", "path": path, "offset": 5, "length": 10}))
	if string(result.Output[0]) != "5678901234" {
		t.Fatalf("%q", result.Output[0])
	}
	result = h.Finish(h.Open(object{"kind": "stat", "path": path, "followSymlinks": true}))
	if entry, _ := result.Last()["entry"].(object); entry["type"] != "file" || entry["size"] != float64(len(text)) {
		t.Fatal(result)
	}
	result = h.Finish(h.Open(object{"kind": "mkdir", "path": directory + "/x/y", "mode": 0o755, "recursive": true}))
	if result.Last()["event"] != "done" || len(result.Last()) != 1 {
		t.Fatal(result)
	}
	result = h.Finish(h.Open(object{"kind": "list", "path": directory}))
	lines := bytes.Split(bytes.TrimSpace(result.Output[0]), []byte("\n"))
	if len(lines) != 2 || result.Last()["count"] != float64(2) || wire.CheckJSON(lines[0]) != nil {
		t.Fatal(result)
	}
	result = h.Finish(h.Open(object{"kind": "remove", "path": directory + "/a", "recursive": true}))
	if result.Last()["event"] != "done" {
		t.Fatal(result)
	}
	if _, err := os.Stat(path); err == nil {
		t.Fatal("not removed")
	}
	for _, bad := range []object{{"kind": "stat"}, {"kind": "stat", "path": "a", "pathBase64": "YQ=="}, {"kind": "stat", "pathBase64": "*"}, {"kind": "stat", "path": 1}, {"kind": "read-file", "path": "/etc/passwd", "offset": 0, "length": -1}} {
		if reset := h.Finish(h.Open(bad)).Reset; reset == nil || reset["code"] != "invalid" {
			t.Errorf("%v: %v", bad, reset)
		}
	}
	if reset := h.Finish(h.Open(object{"kind": "stat", "path": path, "followSymlinks": false})).Reset; reset["code"] != "not-found" {
		t.Error(reset)
	}
}

// Nothing but END makes a file.
func TestGivenUpWriteLeavesNothing(t *testing.T) {
	for _, end := range []byte{wire.Reset, wire.Close} {
		h := start(t)
		directory := t.TempDir()
		id := h.Open(object{"kind": "write-file", "path": directory + "/f", "mode": 0o600, "createParents": false})
		h.Send(wire.Data, id, 0, []byte("half"))
		payload := ""
		if end == wire.Reset {
			payload = `{"code":"cancelled","message":""}`
		}
		h.Send(end, id, 0, []byte(payload))
		for h.Next(id).Type != wire.Close {
		}
		if left, _ := os.ReadDir(directory); len(left) > 0 {
			t.Fatalf("left: %v", left)
		}
	}
}

// More transfers than may be busy, each waiting for the host, don't keep others from being served.
func TestWaitingTransfersAreNotBusy(t *testing.T) {
	h := start(t)
	h.Credit = false
	directory := t.TempDir()
	large := filepath.Join(directory, "large")
	if err := os.WriteFile(large, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 10; i++ {
		h.Open(object{"kind": "write-file", "path": directory + "/w" + string(rune('a'+i)), "mode": 0o600, "createParents": false})
		h.Open(object{"kind": "read-file", "path": large, "offset": 0, "length": nil})
	}
	if result := h.Finish(h.Open(object{"kind": "stat", "path": large, "followSymlinks": true})); result.Last()["event"] != "stat" {
		t.Fatal(result)
	}
	_ = h.Stop()
	h.Session.Wait()
	if left, _ := os.ReadDir(directory); len(left) != 1 {
		t.Fatalf("left: %v", left)
	}
}

func TestArchives(t *testing.T) {
	h := start(t)
	directory := t.TempDir()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	_ = w.WriteHeader(&tar.Header{Name: "d/", Typeflag: tar.TypeDir, Mode: 0o755})
	_ = w.WriteHeader(&tar.Header{Name: "d/f", Typeflag: tar.TypeReg, Mode: 0o644, Size: 5})
	_, _ = w.Write([]byte("hello"))
	w.Close()
	id := h.Open(object{"kind": "upload", "path": directory + "/new"})
	send(h, id, archive.Bytes())
	done := h.Finish(id).Last()
	if done["event"] != "done" || done["count"] != float64(2) || done["sha256"] != sum(archive.Bytes()) {
		t.Fatal(done)
	}
	result := h.Finish(h.Open(object{"kind": "download", "path": directory + "/new"}))
	if result.Last()["count"] != float64(2) || result.Last()["sha256"] != sum(result.Output[0]) || string(result.Ends) != "\x00" {
		t.Fatal(result.Last(), result.Reset)
	}
}

func TestReport(t *testing.T) {
	h := start(t)
	result := h.Finish(h.Open(object{"kind": "report"}))
	if text, _ := json.Marshal(result.Last()); string(text) != `{"event":"report","report":{"pid":1}}` {
		t.Fatalf("%s", text)
	}
}
