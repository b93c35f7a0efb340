// Package grafana_test checks the dashboards and their provisioning. cmd/signal-sidecar/dashboard_test.go runs a
// sidecar and checks that each query has a result.
package grafana_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// dashboard holds the fields of Grafana's JSON that matter here.
type dashboard struct {
	UID, Title    string
	SchemaVersion int
	Panels        []panel
	Links         []struct{ URL string }
	Templating    struct{ List []variable }
	Annotations   struct{ List []annotation }
}

type source struct{ Type, UID string }

type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               source
	GridPos                  struct{ X, Y, W, H int }
	FieldConfig              struct{ Defaults struct{ Unit string } }
	Targets                  []struct {
		RefID, Expr, LegendFormat string
		Datasource                source
		Exemplar                  bool
	}
}

type variable struct {
	Name, Type string
	IncludeAll bool
	AllValue   string
}

type annotation struct {
	Name, Expr string
	BuiltIn    int
	Datasource source
}

// each runs the test for every dashboard.
func each(t *testing.T, test func(t *testing.T, d dashboard)) {
	t.Helper()
	paths, err := filepath.Glob("dashboards/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no dashboards: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var d dashboard
			if err := json.Unmarshal(content, &d); err != nil {
				t.Fatal(err)
			}
			test(t, d)
		})
	}
}

func TestDashboard(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d dashboard) {
		if d.UID == "" || d.Title == "" || d.SchemaVersion < 39 || len(d.Panels) == 0 || len(d.Links) == 0 {
			t.Errorf("uid %q, title %q, schema %d, %d panels, %d links", d.UID, d.Title, d.SchemaVersion, len(d.Panels),
				len(d.Links))
		}
		exemplars := 0
		ids, titles := map[int]bool{}, map[string]bool{}
		for _, p := range d.Panels {
			if p.ID == 0 || ids[p.ID] || p.Title == "" || titles[p.Title] {
				t.Errorf("panel %d %q: id or title is missing, or not unique", p.ID, p.Title)
			}
			ids[p.ID], titles[p.Title] = true, true
			if p.Type == "row" {
				continue
			}
			p.check(t)
			for _, q := range p.Targets {
				if q.Exemplar {
					exemplars++
				}
			}
		}
		if exemplars == 0 {
			t.Error("no panel shows exemplars")
		}
	})
}

var theSource = source{"prometheus", "${datasource}"}

// check checks the texts and the queries of a panel.
func (p panel) check(t *testing.T) {
	t.Helper()
	if p.Description == "" || p.FieldConfig.Defaults.Unit == "" || p.Datasource != theSource || len(p.Targets) == 0 {
		t.Errorf("panel %q: description %q, unit %q, data source %v, %d queries", p.Title, p.Description,
			p.FieldConfig.Defaults.Unit, p.Datasource, len(p.Targets))
	}
	refs := map[string]bool{}
	for _, q := range p.Targets {
		if q.RefID == "" || refs[q.RefID] || q.Datasource != theSource || q.LegendFormat == "" {
			t.Errorf("panel %q: query %+v", p.Title, q)
		}
		refs[q.RefID] = true
		selected(t, p.Title, q.Expr)
	}
}

var selector = regexp.MustCompile(`[A-Za-z_:]+\{[^}]*\}`)

// selected checks that an expression uses the variables: every selector has that of the environment, and that of the
// shard in the label that holds the shard.
func selected(t *testing.T, title, expression string) {
	t.Helper()
	all := selector.FindAllString(expression, -1)
	if len(all) == 0 {
		t.Errorf("%q: no selector in %s", title, expression)
	}
	for _, one := range all {
		shard := `shard=~"$shard"`
		if strings.HasPrefix(one, "haproxy_") {
			shard = `server=~"$shard"`
		}
		if !strings.Contains(one, `environment=~"$environment"`) || !strings.Contains(one, shard) {
			t.Errorf("%q does not follow the variables: %s", title, one)
		}
	}
}

// TestPanelsDoNotOverlap checks that the panels do not overlap on the grid, which is 24 columns wide.
func TestPanelsDoNotOverlap(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d dashboard) {
		taken := map[[2]int]string{}
		for _, p := range d.Panels {
			g := p.GridPos
			if g.W < 1 || g.H < 1 || g.X < 0 || g.Y < 0 || g.X+g.W > 24 {
				t.Errorf("panel %q is off the grid: %+v", p.Title, g)
			}
			for x := g.X; x < g.X+g.W; x++ {
				for y := g.Y; y < g.Y+g.H; y++ {
					if other := taken[[2]int{x, y}]; other != "" && other != p.Title {
						t.Errorf("panels %q and %q overlap at column %d, line %d", other, p.Title, x, y)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
		}
	})
}

func TestVariables(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d dashboard) {
		kinds := map[string]string{}
		for _, v := range d.Templating.List {
			kinds[v.Name] = v.Type
			if v.Type == "query" && (!v.IncludeAll || v.AllValue != ".*") {
				t.Errorf("variable %s: all is %t %q, want one that matches also what has no such label", v.Name, v.IncludeAll,
					v.AllValue)
			}
		}
		for name, kind := range map[string]string{"datasource": "datasource", "environment": "query", "region": "query",
			"shard": "query"} {
			if kinds[name] != kind {
				t.Errorf("variable %s is a %q, want a %s", name, kinds[name], kind)
			}
		}
		for _, a := range d.Annotations.List {
			if a.BuiltIn == 0 {
				selected(t, a.Name, a.Expr)
				if a.Datasource != theSource {
					t.Errorf("annotation %s: data source %v", a.Name, a.Datasource)
				}
			}
		}
	})
}

// TestProvisioning checks that the data sources refer to each other, and that Prometheus links to Jaeger.
func TestProvisioning(t *testing.T) {
	t.Parallel()
	var sources struct {
		APIVersion  int `yaml:"apiVersion"`
		Datasources []struct {
			Name, UID, Type, URL string
			JSONData             struct {
				Exemplars []struct {
					Name string
					UID  string `yaml:"datasourceUid"`
				} `yaml:"exemplarTraceIdDestinations"`
			} `yaml:"jsonData"`
		}
	}
	read(t, "provisioning/datasources/datasources.yml", &sources)
	types := map[string]string{}
	for _, s := range sources.Datasources {
		if s.Name == "" || s.UID == "" || !strings.HasPrefix(s.URL, "http://"+s.Type+":") || types[s.UID] != "" {
			t.Errorf("data source %+v", s)
		}
		types[s.UID] = s.Type
	}
	leads := false
	for _, s := range sources.Datasources {
		for _, e := range s.JSONData.Exemplars {
			leads = leads || s.Type == "prometheus" && e.Name == "trace_id" && types[e.UID] == "jaeger"
		}
	}
	if sources.APIVersion != 1 || !leads {
		t.Errorf("no exemplar leads from Prometheus to Jaeger: %+v", sources)
	}

	var dashboards struct {
		APIVersion int `yaml:"apiVersion"`
		Providers  []struct {
			Name, Type string
			Options    struct{ Path string }
		}
	}
	read(t, "provisioning/dashboards/dashboards.yml", &dashboards)
	if dashboards.APIVersion != 1 || len(dashboards.Providers) != 1 || dashboards.Providers[0].Type != "file" ||
		!strings.HasPrefix(dashboards.Providers[0].Options.Path, "/") {
		t.Errorf("dashboards: %+v", dashboards)
	}
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(content, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
