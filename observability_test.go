package llmproxy

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"
)

// observability is where the dashboard and the alerts are.
const observability = "examples/observability"

// dashboard is what matters of Grafana's.
type dashboard struct {
	Title, UID    string
	SchemaVersion int
	Annotations   struct{ List []dashboardQuery }
	Templating    struct {
		List []struct{ Name, Type, Definition string }
	}
	Panels []panel
}

type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ H, W, X, Y int }
	Datasource               datasource
	Targets                  []dashboardQuery
	FieldConfig              struct{ Defaults struct{ Unit string } }
}

type dashboardQuery struct {
	RefID, Expr, LegendFormat string
	Datasource                datasource
}

type datasource struct{ Type, UID string }

// alert is a rule of Prometheus.
type alert struct {
	Alert, Expr string
	Labels      map[string]string
	Annotations map[string]string
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(observability, "llm-proxy.dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func readAlerts(t *testing.T) (alerts []alert) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(observability, "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct{ Rules []alert }
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Groups {
		alerts = append(alerts, group.Rules...)
	}
	return alerts
}

// knownMetrics are the labels of every metric of the package.
func knownMetrics(t *testing.T) map[string][]string {
	t.Helper()
	registry := prometheus.NewRegistry()
	if err := registerMetrics(registry); err != nil {
		t.Fatal(err)
	}
	descs := make(chan *prometheus.Desc)
	go func() {
		registry.Describe(descs)
		close(descs)
	}()
	known := map[string][]string{}
	form := regexp.MustCompile(`fqName: "(\w+)".*variableLabels: \{([^}]*)\}`)
	for desc := range descs {
		found := form.FindStringSubmatch(desc.String())
		if found == nil {
			t.Fatalf("not the description of a metric: %s", desc)
		}
		known[found[1]] = splitNames(found[2])
	}
	return known
}

func splitNames(list string) (names []string) {
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

var (
	ownMetric    = regexp.MustCompile(`(caddy_llm_proxy_\w+)(?:\{([^}]*)\})?`)
	matcherLabel = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)\s*"`)
	aggregation  = regexp.MustCompile(`\bby \(([^)]*)\)\s*\(`)
	legendLabel  = regexp.MustCompile(`\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}`)
	histogramEnd = regexp.MustCompile(`_(bucket|sum|count)$`)
)

// expression is one in PromQL, and the texts that name labels of what comes of it.
type expression struct {
	where, promql string
	texts         []string
}

func (d *dashboard) expressions() (all []expression) {
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			all = append(all, expression{fmt.Sprintf("panel %d %q, %s", p.ID, p.Title, q.RefID), q.Expr, []string{q.LegendFormat}})
		}
	}
	for _, q := range d.Annotations.List {
		all = append(all, expression{"an annotation", q.Expr, nil})
	}
	for _, v := range d.Templating.List {
		all = append(all, expression{"variable " + v.Name, v.Definition, nil})
	}
	return all
}

// ofTarget are the labels that Prometheus gives to all that it scrapes.
var ofTarget = []string{"instance", "job"}

// labelsOf are the labels of a metric as Prometheus has it; nil: there is none.
func labelsOf(known map[string][]string, name string) []string {
	labels, is := known[name]
	if !is {
		base := histogramEnd.ReplaceAllString(name, "")
		if labels, is = known[base]; !is || base == name {
			return nil
		}
		if strings.HasSuffix(name, "_bucket") {
			labels = append([]string{"le"}, labels...)
		}
	}
	return slices.Concat(ofTarget, labels)
}

// check fails where an expression uses a metric or a label that there is not.
func (e expression) check(t *testing.T, known map[string][]string) {
	t.Helper()
	available := append(e.checkMetrics(t, known, e.promql, nil), ofTarget...)
	var grouped []string
	for _, at := range aggregation.FindAllStringSubmatchIndex(e.promql, -1) {
		by := splitNames(e.promql[at[2]:at[3]])
		grouped = append(grouped, by...)
		e.checkMetrics(t, known, parenthesized(e.promql[at[1]-1:]), by)
	}
	if grouped != nil {
		available = grouped
	}
	for _, text := range e.texts {
		for _, found := range legendLabel.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(available, found[1]) {
				t.Errorf("%s: %q names the label %s, there are %v", e.where, text, found[1], available)
			}
		}
	}
}

// checkMetrics returns the labels of all metrics in a part of an expression, each of
// which must have those that the part is grouped by.
func (e expression) checkMetrics(t *testing.T, known map[string][]string, part string, by []string) (available []string) {
	t.Helper()
	for _, found := range ownMetric.FindAllStringSubmatch(part, -1) {
		labels := labelsOf(known, found[1])
		if labels == nil {
			t.Errorf("%s: there is no metric %s", e.where, found[1])
			continue
		}
		used := slices.Clone(by)
		for _, label := range matcherLabel.FindAllStringSubmatch(found[2], -1) {
			used = append(used, label[1])
		}
		for _, label := range used {
			if !slices.Contains(labels, label) {
				t.Errorf("%s: %s has no label %s, but %v", e.where, found[1], label, labels)
			}
		}
		available = append(available, labels...)
	}
	return available
}

// parenthesized is the beginning of a text up to where its first parenthesis closes.
func parenthesized(text string) string {
	depth := 0
	for i, c := range text {
		switch c {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return text[:i+1]
			}
		}
	}
	return text
}

func TestDashboardAndAlertsUseMetricsThatExist(t *testing.T) {
	known, d := knownMetrics(t), readDashboard(t)
	var shown strings.Builder
	for _, e := range d.expressions() {
		e.check(t, known)
		shown.WriteString(e.promql + "\n")
	}
	for _, a := range readAlerts(t) {
		expression{"alert " + a.Alert, a.Expr, slices.Collect(maps.Values(a.Annotations))}.check(t, known)
	}
	for name := range known {
		if !regexp.MustCompile(name + `(_bucket)?\b`).MatchString(shown.String()) {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
}

func TestWhatChecksExpressionsFindsMistakes(t *testing.T) {
	known := map[string][]string{"caddy_llm_proxy_a_total": {"model"}, "caddy_llm_proxy_b_seconds": {"provider"}}
	for promql, text := range map[string]string{
		`rate(caddy_llm_proxy_c_total[5m])`:                                                         "",
		`caddy_llm_proxy_a_total{provider="x"}`:                                                     "",
		`sum by (provider) (caddy_llm_proxy_a_total)`:                                               "",
		`sum by (model) (caddy_llm_proxy_a_total) / sum by (model) (caddy_llm_proxy_b_seconds_sum)`: "",
		`sum by (le) (caddy_llm_proxy_b_seconds_sum)`:                                               "",
		`caddy_llm_proxy_a_total`:                                                                   "{{provider}}",
		`sum by (model) (caddy_llm_proxy_a_total)`:                                                  "{{ $labels.instance }}",
	} {
		if !fails(func(t *testing.T) { expression{"here", promql, []string{text}}.check(t, known) }) {
			t.Errorf("nothing is wrong with %s and %q", promql, text)
		}
	}
	for _, promql := range []string{
		`sum by (model, instance) (rate(caddy_llm_proxy_a_total{model=~"$model", job!="x"}[5m]))`,
		`histogram_quantile(0.5, sum by (le, provider) (rate(caddy_llm_proxy_b_seconds_bucket[5m]))) and on (provider) up`,
	} {
		expression{"here", promql, nil}.check(t, known)
	}
}

// fails tells whether a test would.
func fails(test func(*testing.T)) bool {
	probe := new(testing.T)
	done := make(chan struct{})
	go func() {
		defer close(done)
		test(probe)
	}()
	<-done
	return probe.Failed()
}

func TestDashboardIsWhole(t *testing.T) {
	d := readDashboard(t)
	if d.Title == "" || d.UID == "" || d.SchemaVersion < 39 {
		t.Errorf("the dashboard is %q, %q of schema %d", d.Title, d.UID, d.SchemaVersion)
	}
	variables := []string{"__rate_interval", "__range"}
	for _, v := range d.Templating.List {
		variables = append(variables, v.Name)
	}
	for _, name := range []string{"datasource", "model", "provider"} {
		if !slices.Contains(variables, name) {
			t.Errorf("there is no variable %s", name)
		}
	}
	for _, e := range d.expressions() {
		for _, found := range regexp.MustCompile(`\$\{?(\w+)`).FindAllStringSubmatch(e.promql, -1) {
			if !slices.Contains(variables, found[1]) {
				t.Errorf("%s: there is no variable %s", e.where, found[1])
			}
		}
	}
	ids := map[int]string{}
	taken := map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] != "" || p.ID == 0 {
			t.Errorf("the id %d of %q is that of %q", p.ID, p.Title, ids[p.ID])
		}
		ids[p.ID] = p.Title
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if taken[at] != "" || at[0] >= 24 {
					t.Fatalf("%q lies over %q, or beyond the edge, at %v", p.Title, taken[at], at)
				}
				taken[at] = p.Title
			}
		}
		if p.Type != "row" {
			p.check(t)
		}
	}
}

func (p *panel) check(t *testing.T) {
	t.Helper()
	if p.Title == "" || p.Description == "" || p.FieldConfig.Defaults.Unit == "" || len(p.Targets) == 0 {
		t.Errorf("panel %d %q lacks its title, description, unit or queries", p.ID, p.Title)
	}
	variable := datasource{"prometheus", "${datasource}"}
	refs := map[string]bool{}
	for _, q := range p.Targets {
		if q.Datasource != variable || p.Datasource != variable {
			t.Errorf("panel %q does not ask the data source that was chosen", p.Title)
		}
		if q.Expr == "" || q.RefID == "" || refs[q.RefID] {
			t.Errorf("panel %q has the query %q %q", p.Title, q.RefID, q.Expr)
		}
		refs[q.RefID] = true
	}
}

func TestAlertsSayWhatToDoAndAreTested(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(observability, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	tests, names := read("alerts.test.yml"), map[string]bool{}
	for _, a := range readAlerts(t) {
		if names[a.Alert] || a.Annotations["summary"] == "" || len(a.Annotations["description"]) < 80 {
			t.Errorf("%s is there twice, or does not say what to do", a.Alert)
		}
		if s := a.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s is of severity %q", a.Alert, s)
		}
		names[a.Alert] = true
		if !regexp.MustCompile(`alertname(=|: )"?` + a.Alert + `\b`).MatchString(tests) {
			t.Errorf("%s has no unit test", a.Alert)
		}
	}
	scrape := read("prometheus.yml")
	for _, found := range regexp.MustCompile(`job="(\w+)"`).FindAllStringSubmatch(read("alerts.yml"), -1) {
		if !strings.Contains(scrape, "job_name: "+found[1]+"\n") {
			t.Errorf("prometheus.yml has no job %s", found[1])
		}
	}
}

func TestPromtoolTakesTheFiles(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool, which comes with Prometheus, is not in PATH")
	}
	for _, args := range []string{"check rules alerts.yml", "test rules alerts.test.yml", "check config prometheus.yml", "check rules " + dashboardAsRules(t)} {
		check := exec.Command(promtool, strings.Fields(args)...)
		check.Dir = observability
		if output, err := check.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", args, err, output)
		}
	}
}

// dashboardAsRules writes a file of rules with every expression of the dashboard.
func dashboardAsRules(t *testing.T) string {
	t.Helper()
	type rule struct{ Record, Expr string }
	type group struct {
		Name  string
		Rules []rule
	}
	all := group{Name: "dashboard"}
	values := strings.NewReplacer("$__rate_interval", "5m", "$__range", "1h")
	d := readDashboard(t)
	for i, e := range d.expressions() {
		if e.promql != "" && !strings.HasPrefix(e.promql, "label_values(") {
			all.Rules = append(all.Rules, rule{fmt.Sprintf("dashboard:query:%d", i), values.Replace(e.promql)})
		}
	}
	text, err := yaml.Marshal(map[string][]group{"groups": {all}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "dashboard.yml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
