package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"
)

// readView requests the status of HAProxy's servers, by backend/server.
func readView(socket string) (map[string]string, error) {
	conn, err := net.DialTimeout("unix", socket, bound)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(bound)); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(conn, "show stat -1 4 -1\n"); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(conn)
	if err != nil {
		return nil, err
	}
	return parseView(string(text))
}

// parseView reads the CSV of "show stat".
func parseView(text string) (map[string]string, error) {
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "# "))).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read HAProxy's statistics: %w", err)
	}
	if len(rows) == 0 {
		return nil, errors.New("read HAProxy's statistics: there are none")
	}
	backend, server, status := slices.Index(rows[0], "pxname"), slices.Index(rows[0], "svname"),
		slices.Index(rows[0], "status")
	if min(backend, server, status) < 0 {
		return nil, fmt.Errorf("read HAProxy's statistics: the head is %q", rows[0])
	}
	all := map[string]string{}
	for _, row := range rows[1:] {
		all[row[backend]+"/"+row[server]] = row[status]
	}
	return all, nil
}
