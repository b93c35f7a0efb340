// Command nomadjob reads a job file with Nomad's own parser, and prints the job as JSON, in the form that Nomad's API
// accepts.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/hashicorp/nomad/jobspec2"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run expects the file and the variables, each as name=value.
func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("usage: nomadjob FILE [name=value…]")
	}
	body, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	job, err := jobspec2.ParseWithConfig(&jobspec2.ParseConfig{Path: args[0], Body: body, ArgVars: args[1:], Strict: true})
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(job)
}
