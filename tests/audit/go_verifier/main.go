// Verifies, proves and signs with the code of Go's checksum database (golang.org/x/mod/sumdb), and with none of ours.
// It reads a JSON list of requests from standard input and writes the list of answers.
package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
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
