// Verifies, proves and signs with the code of Go's checksum database (golang.org/x/mod/sumdb), and with none of ours.
// It reads a JSON list of requests from standard input and writes the list of answers.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type request struct {
	Kind         string
	Origin       string
	VerifierKeys []string `json:"verifier_keys"`
	// Texts come line by line, as in the vector files.
	Record  string
	Receipt []string
	Note    []string
	Old     []string
	New     []string
	Proof   []string
	// For "export": files by path, as in the vector files, or a folder.
	Checkpoint []string
	Files      map[string][]byte
	Outside    [][]string
	Folder     string
	// For "prove" and "sign".
	Records []string
	Pairs   [][2]int64
	Key     string
	Text    string
}

type answer struct {
	Refused string     `json:"refused"`
	Roots   []string   `json:"roots"`
	Paths   [][]string `json:"paths"`
	Growths [][]string `json:"growths"`
	Note    string     `json:"note"`
}

func main() {
	var requests []request
	if err := json.NewDecoder(os.Stdin).Decode(&requests); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	answers := []answer{}
	for _, asked := range requests {
		var given answer
		if err := carryOut(asked, &given); err != nil {
			given.Refused = err.Error()
		}
		answers = append(answers, given)
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

func carryOut(asked request, given *answer) error {
	switch asked.Kind {
	case "receipt":
		return verifyReceipt(asked)
	case "checkpoint":
		_, err := openCheckpoint(strings.Join(asked.Note, "\n"), asked)
		return err
	case "consistency":
		return verifyConsistency(asked)
	case "export":
		return verifyExport(asked)
	case "prove":
		return prove(asked, given)
	case "sign":
		signer, err := note.NewSigner(asked.Key)
		if err != nil {
			return err
		}
		signed, err := note.Sign(&note.Note{Text: asked.Text}, signer)
		given.Note = string(signed)
		return err
	}
	return errors.New("unknown kind " + asked.Kind)
}

// exported is a log's files under C2SP's paths, read by Go's own tile reader.
type exported struct{ asked request }

func (e exported) read(path string) ([]byte, error) {
	if e.asked.Folder != "" {
		return os.ReadFile(filepath.Join(e.asked.Folder, filepath.FromSlash(path)))
	}
	if content, found := e.asked.Files[path]; found {
		return content, nil
	}
	return nil, errors.New("no file " + path)
}

func (e exported) Height() int { return 8 }

func (e exported) SaveTiles([]tlog.Tile, [][]byte) {}

func (e exported) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var contents [][]byte
	for _, tile := range tiles {
		// C2SP's paths leave out the height, which is always 8.
		content, err := e.read("tile/" + strings.TrimPrefix(tile.Path(), "tile/8/"))
		if err != nil {
			return nil, err
		}
		if len(content) != tile.W*tlog.HashSize {
			return nil, errors.New("a tile of another width")
		}
		contents = append(contents, content)
	}
	return contents, nil
}

func (e exported) checkpoint() (string, error) {
	if e.asked.Folder == "" {
		return strings.Join(e.asked.Checkpoint, "\n"), nil
	}
	content, err := e.read("checkpoint")
	return string(content), err
}

func verifyExport(asked request) error {
	log := exported{asked}
	text, err := log.checkpoint()
	if err != nil {
		return err
	}
	tree, err := openCheckpoint(text, asked)
	if err != nil {
		return err
	}
	reader := tlog.TileHashReader(tree, log)
	for _, lines := range asked.Outside {
		kept, err := openCheckpoint(strings.Join(lines, "\n"), asked)
		if err != nil {
			return err
		}
		if kept.N > tree.N {
			return errors.New("older than a checkpoint")
		}
		root, err := tlog.TreeHash(kept.N, reader)
		if err != nil {
			return err
		}
		if root != kept.Hash {
			return errors.New("another history")
		}
	}
	for start := int64(0); start < tree.N; start += 256 {
		width := tree.N - start
		if width > 256 {
			width = 256
		}
		if err := verifyBundle(log, reader, start, width); err != nil {
			return err
		}
	}
	return nil
}

func verifyBundle(log exported, reader tlog.HashReader, start, width int64) error {
	var indexes []int64
	for at := start; at < start+width; at++ {
		indexes = append(indexes, tlog.StoredHashIndex(0, at))
	}
	leaves, err := reader.ReadHashes(indexes)
	if err != nil {
		return err
	}
	path := tlog.Tile{H: 8, L: 0, N: start / 256, W: int(width)}.Path()
	content, err := log.read("tile/entries/" + strings.TrimPrefix(path, "tile/8/0/"))
	if err != nil {
		return err
	}
	for _, leaf := range leaves {
		if len(content) < 2 || len(content) < 2+int(binary.BigEndian.Uint16(content)) {
			return errors.New("a bundle that was cut")
		}
		length := int(binary.BigEndian.Uint16(content))
		if tlog.RecordHash(content[2:2+length]) != leaf {
			return errors.New("a record that is not the one in the tree")
		}
		content = content[2+length:]
	}
	if len(content) > 0 {
		return errors.New("a bundle that was lengthened")
	}
	return nil
}

func verifyReceipt(asked request) error {
	above, text, found := strings.Cut(strings.Join(asked.Receipt, "\n"), "\n\n")
	if !found {
		return errors.New("no checkpoint")
	}
	lines := strings.Split(above, "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("another format")
	}
	lines = lines[1:]
	if len(lines) > 0 && strings.HasPrefix(lines[0], "extra ") {
		if _, err := base64.StdEncoding.DecodeString(lines[0][len("extra "):]); err != nil {
			return err
		}
		lines = lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") {
		return errors.New("no index")
	}
	index, err := number(lines[0][len("index "):])
	if err != nil {
		return err
	}
	proof, err := hashes(lines[1:])
	if err != nil {
		return err
	}
	tree, err := openCheckpoint(text, asked)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(tlog.RecordProof(proof), tree.N, tree.Hash, index, tlog.RecordHash([]byte(asked.Record)))
}

func verifyConsistency(asked request) error {
	older, err := openCheckpoint(strings.Join(asked.Old, "\n"), asked)
	if err != nil {
		return err
	}
	newer, err := openCheckpoint(strings.Join(asked.New, "\n"), asked)
	if err != nil {
		return err
	}
	proof, err := hashes(asked.Proof)
	if err != nil {
		return err
	}
	return tlog.CheckTree(tlog.TreeProof(proof), newer.N, newer.Hash, older.N, older.Hash)
}

func openCheckpoint(text string, asked request) (tlog.Tree, error) {
	var verifiers []note.Verifier
	for _, vkey := range asked.VerifierKeys {
		verifier, err := note.NewVerifier(vkey)
		if err != nil {
			return tlog.Tree{}, err
		}
		verifiers = append(verifiers, verifier)
	}
	opened, err := note.Open([]byte(text), note.VerifierList(verifiers...))
	if err != nil {
		return tlog.Tree{}, err
	}
	signed := false
	for _, signature := range opened.Sigs {
		signed = signed || signature.Name == asked.Origin
	}
	if !signed {
		return tlog.Tree{}, errors.New("not signed by the log")
	}
	lines := strings.Split(strings.TrimSuffix(opened.Text, "\n"), "\n")
	if len(lines) < 3 || lines[0] != asked.Origin {
		return tlog.Tree{}, errors.New("another origin")
	}
	for _, line := range lines {
		if line == "" {
			return tlog.Tree{}, errors.New("an empty line")
		}
	}
	size, err := number(lines[1])
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := hashes(lines[2:3])
	if err != nil {
		return tlog.Tree{}, err
	}
	return tlog.Tree{N: size, Hash: root[0]}, nil
}

func prove(asked request, given *answer) error {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var read []tlog.Hash
		for _, index := range indexes {
			read = append(read, stored[index])
		}
		return read, nil
	})
	for index, record := range asked.Records {
		added, err := tlog.StoredHashes(int64(index), []byte(record), reader)
		if err != nil {
			return err
		}
		stored = append(stored, added...)
		root, err := tlog.TreeHash(int64(index+1), reader)
		if err != nil {
			return err
		}
		given.Roots = append(given.Roots, root.String())
	}
	// Each pair is an index and a size for the path, and index+1 and the size for the growth.
	for _, pair := range asked.Pairs {
		path, err := tlog.ProveRecord(pair[1], pair[0], reader)
		if err != nil {
			return err
		}
		growth, err := tlog.ProveTree(pair[1], pair[0]+1, reader)
		if err != nil {
			return err
		}
		given.Paths = append(given.Paths, spelt(path))
		given.Growths = append(given.Growths, spelt(growth))
	}
	return nil
}

func number(text string) (int64, error) {
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strconv.FormatInt(value, 10) != text || value < 0 {
		return 0, errors.New("not a plain number: " + text)
	}
	return value, nil
}

func hashes(lines []string) ([]tlog.Hash, error) {
	var read []tlog.Hash
	for _, line := range lines {
		raw, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(raw) != tlog.HashSize {
			return nil, errors.New("not a hash: " + line)
		}
		var hash tlog.Hash
		copy(hash[:], raw)
		read = append(read, hash)
	}
	return read, nil
}

func spelt(proof []tlog.Hash) []string {
	lines := []string{}
	for _, hash := range proof {
		lines = append(lines, hash.String())
	}
	return lines
}
