package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/porchlight-im/porchlight/internal/server"
)

// serve runs the server until it is told to stop.
func serve(ctx context.Context, args []string, out, errs io.Writer) error {
	fs := newFlags("serve", "Serve runs the server. SIGTERM and Ctrl-C drain it: connections are closed, spread out,\n"+
		"and whoever is back within the grace (grace.node) was never seen to leave.", errs)
	var sets repeated
	file := fs.String("config", "", "configuration `file` (YAML)")
	dev := fs.Bool("dev", false, "make an application to try things with, and print what is needed to use it as JSON")
	listen := fs.String("listen", "", "`address` to listen on; port 0 takes a free one (default 127.0.0.1:7800)")
	data := fs.String("data", "", "`directory` of everything that is kept (default porchlight-data)")
	fs.Var(&sets, "set", "any configuration `key.path=value`; may be repeated")
	if err := parse(fs, args, 0); err != nil {
		return err
	}
	for key, value := range map[string]string{"listen": *listen, "data": *data} {
		if value != "" {
			sets = append(sets, key+"="+fmt.Sprintf("%q", value))
		}
	}
	cfg, err := server.LoadConfig(*file, os.Environ(), sets)
	if err != nil {
		return err
	}
	log, err := newLog(cfg.Log, errs)
	if err != nil {
		return err
	}
	tuneGC()
	s, err := server.Open(ctx, cfg, server.Options{Dev: *dev, Version: programVersion(), Log: log})
	if err != nil {
		return err
	}
	defer s.Close()
	if err := announce(s, cfg, out, errs); err != nil {
		return err
	}
	trimming, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { trim(trimming) })
	defer wg.Wait()
	defer stop()
	return s.Run(ctx)
}

// tuneGC collects garbage twice as often as by default: most of the memory is
// what idle connections hold, and room for garbage beside it would cost more
// than the collections do. GOGC and GOMEMLIMIT in the environment rule.
func tuneGC() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
}

// announce says that the server is ready: words for people on errs, and under
// -dev one line for programs on out.
func announce(s *server.Server, cfg server.Config, out, errs io.Writer) error {
	_, _ = fmt.Fprintf(errs, "\nPorchlight %s is ready.\n  proxyServer  ws://%s\n  data         %s\n", programVersion(), s.Addr(), cfg.Data)
	dev := s.Dev()
	if dev == nil {
		_, _ = fmt.Fprintf(errs, "  operator     the token is in %s/operator.token\n", cfg.Data)
		_, _ = fmt.Fprintf(errs, "  applications porchlight app list -data %s\n\n", cfg.Data)
		return nil
	}
	line, err := s.Announce()
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(errs, "  application  SDKAppID %d; its secret key is in %s/dev.json\n", dev.SDKAppID, cfg.Data)
	_, _ = fmt.Fprintf(errs, "  a UserSig    porchlight usersig -data %s alice\n", cfg.Data)
	_, _ = fmt.Fprintf(errs, "  demo         %s/demo/\n\n", dev.URL)
	_, err = out.Write(line)
	return err
}

// newLog makes the log that the configuration asks for.
func newLog(cfg server.LogConfig, w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		return nil, fmt.Errorf("log.level: %q is none of debug, info, warn, error", cfg.Level)
	}
	opt := &slog.HandlerOptions{Level: level}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opt)), nil
	}
	return slog.New(slog.NewTextHandler(w, opt)), nil
}

// repeated is a flag that may be given many times.
type repeated []string

// String joins the values.
func (r *repeated) String() string { return strings.Join(*r, " ") }

// Set takes one more.
func (r *repeated) Set(v string) error {
	*r = append(*r, v)
	return nil
}
