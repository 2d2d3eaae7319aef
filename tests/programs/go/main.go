// Command gotests is a static Go program whose cases lean on what Go's runtime asks of its kernel.
//
// Without arguments it runs every case and prints one line each; with arguments, the named ones. Its status is 1 when a
// case failed. With GOTESTS_TIMES set it says how long each took. As `gotests child ...` it is a process that a case started.
package main

import (
	"fmt"
	"os"
	"sort"
	"time"
)

var cases = map[string]func() error{}

// add makes a case known.
func add(name string, body func() error) { cases[name] = body }

// want is nil when both print the same.
func want(what string, got, wanted any) error {
	if fmt.Sprint(got) != fmt.Sprint(wanted) {
		return fmt.Errorf("%s is %v, not %v", what, got, wanted)
	}
	return nil
}

// all gives the first error.
func all(errors ...error) error {
	for _, err := range errors {
		if err != nil {
			return err
		}
	}
	return nil
}

// limited runs a case, and gives up on it after a time.
func limited(body func() error, limit time.Duration) error {
	done := make(chan error, 1)
	go func() { done <- body() }()
	select {
	case err := <-done:
		return err
	case <-time.After(limit):
		return fmt.Errorf("not done in %v", limit)
	}
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		child(os.Args[2:])
		return
	}
	names := os.Args[1:]
	if len(names) == 0 {
		for name := range cases {
			names = append(names, name)
		}
		sort.Strings(names)
	}
	failed := 0
	for _, name := range names {
		body, known := cases[name]
		if !known {
			fmt.Println("no case", name)
			os.Exit(2)
		}
		start := time.Now()
		err := limited(body, 60*time.Second)
		if os.Getenv("GOTESTS_TIMES") != "" {
			fmt.Print(time.Since(start).Milliseconds(), " ms ")
		}
		if err != nil {
			failed++
			fmt.Printf("FAIL %s: %v\n", name, err)
		} else {
			fmt.Println("ok", name)
		}
	}
	if failed > 0 {
		os.Exit(1)
	}
}
