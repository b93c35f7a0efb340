package rest

import (
	"fmt"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// Explanation is the reply of /signal/explain.
type Explanation struct {
	health.Explanation
	Consul        *Consul        `json:"consul,omitempty"`
	ConsulReports *ConsulReports `json:"consulReports,omitempty"`
}

// Consul is the wanted state of the node: the key that CONSUL_STATUS follows.
type Consul struct {
	Key     string       `json:"key"`
	Value   *string      `json:"value"`   // nil if there is no such key, or before the first answer
	Changed *health.Time `json:"changed"` // when this process saw the value first; nil before the first answer
	// Differs is whether the value is a known word and the status file has another content.
	Differs bool `json:"differs"`
	// Problem describes why the latest query or write of the file failed. Error is its original error.
	Problem string `json:"problem,omitempty"`
	Error   string `json:"error,omitempty"`
}

// ConsulReports is the state of the reports that CONSUL_REPORTS publishes.
type ConsulReports struct {
	Key string       `json:"key"`
	Put *health.Time `json:"put"` // when the latest report was put; nil before the first
	// Problem describes why the latest put failed. Error is its original error.
	Problem string `json:"problem,omitempty"`
	Error   string `json:"error,omitempty"`
}

// ConsulSource returns what is known of Consul now. Both are nil if the feature is off. The server sets Differs.
type ConsulSource func() (*Consul, *ConsulReports)

// of returns what is known, compared with the status file in a snapshot.
func (source ConsulSource) of(s *health.Snapshot) (*Consul, *ConsulReports) {
	if source == nil {
		return nil, nil
	}
	status, reports := source()
	if status != nil && status.Value != nil && s.StatusFile != nil {
		word := health.ParseWord(*status.Value)
		status.Differs = word.Known() && word != s.StatusFile.Word()
	}
	return status, reports
}

// explain returns the explanation of a snapshot.
func (source ConsulSource) explain(s *health.Snapshot) Explanation {
	status, reports := source.of(s)
	return Explanation{s.Explain(), status, reports}
}

// rows returns the rows of the page about Consul.
func (source ConsulSource) rows(s *health.Snapshot) (rows []chart) {
	status, reports := source.of(s)
	if status != nil {
		rows = append(rows, wantedRow(status))
	}
	if reports != nil {
		row := chart{Name: "report in Consul", Now: "not put yet", Detail: excerpt(reports.Key), State: "none"}
		if reports.Put != nil {
			row.Now, row.State = "published", "ok"
		}
		row.problem(reports.Problem)
		rows = append(rows, row)
	}
	for i, row := range rows {
		rows[i].Alt = row.Name + ": " + row.Now + "."
	}
	return rows
}

func wantedRow(c *Consul) chart {
	row := chart{Name: "wanted in Consul", Now: "not known yet", Detail: excerpt(c.Key), State: "none"}
	switch {
	case c.Value != nil:
		row.Now, row.State = excerpt(*c.Value), "ok"
		if word := health.ParseWord(*c.Value); word.Known() {
			row.Now = string(word)
		}
	case c.Changed != nil:
		row.Now = "no such key"
	}
	row.problem(c.Problem)
	if c.Differs {
		row.State, row.Detail = "bad", excerpt(fmt.Sprintf("the status file differs from %s", c.Key))
	}
	return row
}

// problem shows an error, "" for none.
func (c *chart) problem(text string) {
	if text != "" {
		c.State, c.Detail = "bad", excerpt(text)
	}
}
