package llmproxy

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caddyllm/llmproxy/catalog"
	"github.com/caddyllm/llmproxy/internal/glob"
	"github.com/caddyllm/llmproxy/internal/terminal"
)

func modelsCommand() *cobra.Command {
	v := new(modelsView)
	cmd := &cobra.Command{
		Use:   "models [<glob>] [--all] [--json] [--address <admin address> | --config <file>]",
		Short: "Lists models: those of the running gateway, or all that are known",
		Long: `
Lists the models that the running gateway serves, by the names that clients ask
for, with what is known of them: the window of tokens, the longest answer, the
prices in US dollars per million tokens, and what they can do. The prices of the
config's own file come first.

With --all it lists the catalogue that comes with the gateway, for which nothing
has to run. If --address or --config names a running gateway too, the models that
it serves are marked with the names that clients ask for.

A glob is compared with the model's name, with and without its provider. Text
without a * is looked for anywhere in the name.`,
		Example: `  caddy llm-proxy models
  caddy llm-proxy models --all 'claude-*'
  caddy llm-proxy models --all openai/gpt --address localhost:2019`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				v.filter = strings.ToLower(args[0])
			}
			return v.show(cmd.OutOrStdout())
		},
	}
	v.admin.addFlags(cmd)
	cmd.Flags().BoolVar(&v.all, "all", false, "List all models that are known, not those of the running gateway")
	cmd.Flags().BoolVar(&v.json, "json", false, "Print JSON")
	return cmd
}

// modelsView lists models.
type modelsView struct {
	admin     adminClient
	all, json bool
	filter    string
}

func (v *modelsView) show(out io.Writer) error {
	var served []handlerModels
	if !v.all || v.admin.address != "" || v.admin.config != "" {
		if err := v.admin.get("/llm_proxy/models", &served); err != nil {
			if !v.all {
				return fmt.Errorf("%w; --all lists what is known without one", err)
			}
			return err
		}
	}
	if v.all {
		return v.print(out, v.known(served))
	}
	return v.print(out, v.served(served))
}

// listedModel is a row: a model of a provider, and the name for it. Of a list of all
// models provider is a type, else the name in the config.
type listedModel struct {
	// Name is what clients ask for, or several names of a list of all models.
	Name     string `json:"name,omitempty"`
	Provider string `json:"provider"`
	Model    string `json:"model"`
	// State is of the running gateway.
	State string `json:"state,omitempty"`
	modelFacts
}

// wanted compares names with the filter.
func (v *modelsView) wanted(names ...string) bool {
	return v.filter == "" || slices.ContainsFunc(names, func(name string) bool {
		name = strings.ToLower(name)
		if !glob.IsPattern(v.filter) {
			return strings.Contains(name, v.filter)
		}
		_, ok := glob.Match(v.filter, name)
		return ok
	})
}

// served lists aliases with their targets, then what else providers list.
func (v *modelsView) served(handlers []handlerModels) []listedModel {
	list := []listedModel{}
	add := func(name string, t *modelTarget) {
		provider, model, _ := strings.Cut(t.Target, "/")
		row := listedModel{Name: name, Provider: provider, Model: model, State: t.State, modelFacts: t.modelFacts}
		same := func(other listedModel) bool {
			return other.Name == name && other.Provider == provider && other.Model == model
		}
		if v.wanted(name, model, t.Target) && !slices.ContainsFunc(list, same) {
			list = append(list, row)
		}
	}
	for i := range handlers {
		for j := range handlers[i].Models {
			m := &handlers[i].Models[j]
			for k := range m.Targets {
				add(m.Name, &m.Targets[k])
			}
		}
	}
	for i := range handlers {
		for j := range handlers[i].Direct {
			t := &handlers[i].Direct[j]
			add(t.Target, t)
		}
	}
	return list
}

// known lists the catalogue. What a running gateway knows better prevails, and what
// it serves beside comes last.
func (v *modelsView) known(handlers []handlerModels) []listedModel {
	entries := catalog.List()
	list, at := make([]listedModel, 0, len(entries)), make(map[[2]string]int, len(entries))
	for i := range entries {
		e := &entries[i]
		at[[2]string{e.Kind, e.Name}] = len(list)
		list = append(list, listedModel{Provider: e.Kind, Model: e.Name, modelFacts: factsOf(e.Model)})
	}
	mark := func(name string, t *modelTarget) {
		_, model, _ := strings.Cut(t.Target, "/")
		key := [2]string{t.Type, strings.ToLower(model)}
		if glob.IsPattern(model) {
			return
		}
		i, ok := at[key]
		if !ok {
			i = len(list)
			at[key] = i
			list = append(list, listedModel{Provider: t.Type, Model: model})
		}
		list[i].modelFacts = t.modelFacts
		if names := strings.Split(list[i].Name, ", "); !slices.Contains(names, name) {
			list[i].Name = strings.TrimPrefix(list[i].Name+", "+name, ", ")
		}
	}
	for i := range handlers {
		for j := range handlers[i].Models {
			m := &handlers[i].Models[j]
			for k := range m.Targets {
				mark(m.Name, &m.Targets[k])
			}
		}
		for j := range handlers[i].Direct {
			mark(handlers[i].Direct[j].Target, &handlers[i].Direct[j])
		}
	}
	return slices.DeleteFunc(list, func(m listedModel) bool { return !v.wanted(m.Model, m.Provider+"/"+m.Model, m.Name) })
}

func (v *modelsView) print(out io.Writer, list []listedModel) error {
	if v.json {
		return printJSON(out, list)
	}
	if len(list) == 0 {
		text := "There is no such model."
		if v.filter == "" {
			text = "The gateway has no models of its own: clients ask for those of its providers, as <provider>/<model>. --all lists what is known of them."
		}
		_, err := fmt.Fprintln(out, text)
		return err
	}
	name, model := "NAME", "TARGET"
	if v.all {
		name, model = "SERVED AS", "MODEL"
	}
	t := terminal.NewTable("?"+name, model, "?STATE", "?>WINDOW", "?>MAX OUTPUT", "?>$/M IN", "?>$/M OUT", "?>$/M CACHED", "?CAN")
	tiers := false
	for i := range list {
		m := &list[i]
		var in, answer, cached string
		if p := m.Price; p != nil {
			mark := ""
			if len(p.Tiers) > 0 {
				mark, tiers = "+", true
			}
			in, answer, cached = price(p.Input, mark), price(p.Output, mark), price(p.CacheRead, mark)
		}
		t.Row(m.Name, m.Provider+"/"+m.Model, m.State, terminal.Tokens(m.ContextWindow), terminal.Tokens(m.MaxOutput), in, answer, cached, strings.Join(m.Capabilities, ","))
	}
	if err := t.Print(out); err != nil || !tiers {
		return err
	}
	_, err := fmt.Fprintln(out, "\n+ another price for long prompts, which --json tells.")
	return err
}

func price(dollars *float64, mark string) string {
	if dollars == nil {
		return ""
	}
	return strconv.FormatFloat(*dollars, 'f', -1, 64) + mark
}
