package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// Where the operator's token and the server's address may stand; the token
// never on a command line, which every user of the machine can read.
const (
	tokenEnv = "PORCHLIGHT_OPERATOR_TOKEN"
	urlEnv   = "PORCHLIGHT_URL"
)

const defaultURL = "http://127.0.0.1:7800"

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 20

// operator asks a server as its operator and prints the answers.
type operator struct {
	out, errs io.Writer
	data, url string // as the flags say
	json      bool

	token, from string // the token, and where it is from; set by find
	answer      []byte // the last one
}

// find finds the server and the token.
func (op *operator) find() error {
	var dev struct{ URL, OperatorToken string }
	path := filepath.Join(op.data, "dev.json")
	text, err := os.ReadFile(path) //nolint:gosec // G304: the user names the directory
	if err == nil {
		err = json.Unmarshal(text, &dev)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read %s: %w", path, err)
	}
	for _, from := range []string{os.Getenv(urlEnv), dev.URL, defaultURL} {
		if op.url == "" {
			op.url = from
		}
	}
	op.url = strings.TrimSuffix(op.url, "/")
	if u, err := url.Parse(op.url); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%q is no URL of a server; give one such as %s", op.url, defaultURL)
	}
	if op.token, op.from = os.Getenv(tokenEnv), tokenEnv; op.token != "" {
		return nil
	}
	if op.token, op.from = dev.OperatorToken, path; op.token != "" {
		return nil
	}
	op.from = filepath.Join(op.data, "operator.token")
	if text, err = os.ReadFile(op.from); err != nil {
		return fmt.Errorf("no operator's token: name the server's data directory with -data, or put the token into %s: %w", tokenEnv, err)
	}
	if op.token = strings.TrimSpace(string(text)); op.token == "" {
		return fmt.Errorf("no operator's token: %s is empty", op.from)
	}
	return nil
}

// call asks the API below /admin/v1 and reads the answer into into, nil for
// none. body is sent as JSON, nil for none.
func (op *operator) call(ctx context.Context, method, path string, body, into any) error {
	if op.token == "" {
		if err := op.find(); err != nil {
			return err
		}
	}
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, op.url+"/admin/v1"+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+op.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	client := http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("no server answers; start it with porchlight serve, or say where it is with -url: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	if op.answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer)); err != nil {
		return fmt.Errorf("read the answer of %s: %w", op.url, err)
	}
	return op.read(resp, into)
}

// read reads the answer, or says what the server refused it with.
func (op *operator) read(resp *http.Response, into any) error {
	if kind := resp.Header.Get("Content-Type"); resp.StatusCode >= 300 && kind != "application/problem+json" {
		return fmt.Errorf("%s has no operator's API (it answers %s); with operator.listen the API is on that address: give it with -url",
			op.url, resp.Status)
	}
	if resp.StatusCode == http.StatusUnauthorized {
		return fmt.Errorf("the server at %s refuses the operator's token from %s; "+
			"its own is in operator.token in its data directory (-data)", op.url, op.from)
	}
	if resp.StatusCode >= 300 {
		var problem struct {
			Detail string
			Code   int
		}
		if err := json.Unmarshal(op.answer, &problem); err != nil {
			return fmt.Errorf("read the answer of %s: %w", op.url, err)
		}
		if problem.Code != 0 {
			return fmt.Errorf("%s (%d)", clean(problem.Detail), problem.Code)
		}
		return errors.New(clean(problem.Detail))
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(op.answer, into); err != nil {
		return fmt.Errorf("read the answer of %s: %w", op.url, err)
	}
	return nil
}

// print prints the last answer: as it is under -json, or else in words.
func (op *operator) print(words func(w io.Writer)) error {
	if op.json {
		_, err := op.out.Write(op.answer)
		return err
	}
	var text bytes.Buffer
	words(&text)
	_, err := text.WriteTo(op.out)
	return err
}

// table prints rows of columns.
func table(w io.Writer, rows [][]string) {
	var text strings.Builder
	t := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		_, _ = fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	_ = t.Flush() // into memory
	for line := range strings.Lines(text.String()) {
		_, _ = fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
}

// clean gives a text without what a terminal would obey.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// segment gives a text as a part of a path, which a dot alone would not be.
func segment(text string) string {
	return strings.ReplaceAll(url.PathEscape(text), ".", "%2E")
}
