package llmproxy

import (
	"math"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/providers/ratelimit"
	"github.com/caddyllm/llmproxy/routing"
)

// liveState shows what is known of providers and targets of the config that is in
// use, at the moment when it is asked: nothing is kept, so nothing is left behind by
// configs that are gone.
type liveState struct{}

var (
	describeBreaker = describe("breaker_state",
		"Breaker of a target: 0 closed, 1 probing, 2 open. Models that the config does not spell out are other, which is the worst of them.",
		"provider", "model")
	describeCooldown = describe("target_cooldown_seconds",
		"How long a target is left alone from now on: for its breaker, or because its provider asked for it. The longest is that of other.",
		"provider", "model")
	describeAvailable = describe("provider_available",
		"Whether a provider can be asked: 0 if it is disabled, down, or has no key that it takes.", "provider")
	describeHeadroom = describe("provider_headroom",
		"What the provider last said remains of a limit (requests, tokens, input_tokens, output_tokens) of its key with this index; all of it once the limit was reset.",
		"provider", "key", "limit")
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName("caddy", appName, name), help, labels, nil)
}

// Describe implements [prometheus.Collector].
func (liveState) Describe(to chan<- *prometheus.Desc) {
	to <- describeBreaker
	to <- describeCooldown
	to <- describeAvailable
	to <- describeHeadroom
}

// Collect implements [prometheus.Collector].
func (liveState) Collect(to chan<- prometheus.Metric) {
	app := active()
	if app == nil {
		return
	}
	found, now := newPicture(), time.Now()
	for _, h := range app.list() {
		if g := h.acquire(); g != nil {
			found.takeTable(g.gateway.Routes, now)
			g.release()
		}
	}
	found.show(to)
}

// picture is what there is to show, by labels. Providers of several sites may have one
// name: what is worst of them counts.
type picture struct {
	targets   map[pair]targetPicture
	available map[string]float64
	headroom  map[headroomLabels]float64
}

type targetPicture struct{ breaker, cooldown float64 }

type headroomLabels struct {
	provider string
	key      int
	limit    string
}

func newPicture() *picture {
	return &picture{make(map[pair]targetPicture), make(map[string]float64), make(map[headroomLabels]float64)}
}

func (p *picture) takeTable(table *routing.Table, now time.Time) {
	named := table.Named()
	for _, u := range table.Upstreams() {
		p.takeProvider(u, table.Health(u).Snapshot(u.Base().Fingerprints(), now), named[u], now)
	}
}

func (p *picture) takeProvider(u *providers.Upstream, found routing.Snapshot, named map[string]bool, now time.Time) {
	available := 1.0
	if found.Obstacle != routing.Clear {
		available = 0
	}
	if before, ok := p.available[u.Name]; ok {
		available = min(available, before)
	}
	p.available[u.Name] = available
	for i := range found.Keys {
		p.takeHeadroom(u.Name, i, &found.Keys[i].Headroom, now)
	}
	for i := range found.Models {
		model := &found.Models[i]
		labels := pair{model.Model, u.Name}
		if !named[model.Model] {
			labels.model = routing.Other
		}
		t := p.targets[labels]
		t.breaker = max(t.breaker, float64(model.Breaker))
		if !model.Until.IsZero() {
			t.cooldown = max(t.cooldown, model.Until.Sub(now).Seconds())
		}
		p.targets[labels] = t
	}
}

func (p *picture) takeHeadroom(provider string, key int, h *ratelimit.Headroom, now time.Time) {
	for _, limit := range [...]struct {
		name   string
		budget *ratelimit.Budget
	}{{"requests", &h.Requests}, {"tokens", &h.Tokens}, {"input_tokens", &h.Input}, {"output_tokens", &h.Output}} {
		left, known := limit.budget.Left(now)
		if !known {
			continue
		}
		labels, before := headroomLabels{provider, key, limit.name}, math.Inf(1)
		if n, ok := p.headroom[labels]; ok {
			before = n
		}
		p.headroom[labels] = min(before, float64(left))
	}
}

func (p *picture) show(to chan<- prometheus.Metric) {
	show := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	for labels, t := range p.targets {
		show(describeBreaker, t.breaker, labels.provider, labels.model)
		show(describeCooldown, t.cooldown, labels.provider, labels.model)
	}
	for provider, available := range p.available {
		show(describeAvailable, available, provider)
	}
	for labels, left := range p.headroom {
		show(describeHeadroom, left, labels.provider, strconv.Itoa(labels.key), labels.limit)
	}
}
