package llmproxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/net/http/httpguts"

	"github.com/caddyllm/llmproxy/internal/chatclient"
	"github.com/caddyllm/llmproxy/internal/terminal"
)

// chatKeyVariable holds the key unless another is named. It is not OPENAI_API_KEY: that
// one is for somebody else.
const chatKeyVariable = "LLM_PROXY_KEY"

func chatCommand() *cobra.Command {
	c := new(chat)
	cmd := &cobra.Command{
		Use:   "chat [--address <url>] [--key-env <name> | --key-file <file>] [--model <name>] [--system <text>] [<prompt>...]",
		Short: "Talks to a model through the gateway",
		Long: `
Talks to a model through the gateway, as any client of OpenAI's API does. Without
a prompt it is a conversation: /model <name> changes the model, /clear begins
anew, /quit or Ctrl-D ends, Ctrl-C stops an answer.

With a prompt, or if the standard input is no terminal, it prints one answer and
nothing else; - among the words of a prompt stands for the standard input.

The key is read from the variable LLM_PROXY_KEY, or the one that --key-env names,
or from a file. It is no argument: others could see that. Without a key the call
is anonymous. Without --model it is the first that the gateway lists.`,
		Example: `  caddy llm-proxy chat
  caddy llm-proxy chat --model smart "Why is the sky blue?"
  git diff | caddy llm-proxy chat --key-file ~/.llm-key "What does this change?" -`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c.in, c.out, c.notes = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
			return c.run(cmd.Context(), args)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&c.address, "address", "http://localhost:8080", "The gateway's URL")
	flags.StringVar(&c.keyVariable, "key-env", "", "The environment variable that holds the key (default "+chatKeyVariable+")")
	flags.StringVar(&c.keyFile, "key-file", "", "The file that holds the key")
	flags.StringVarP(&c.model, "model", "m", "", "The model to ask (default: the first that the gateway lists)")
	flags.StringVarP(&c.system, "system", "s", "", "What the model is told before the conversation")
	cmd.MarkFlagsMutuallyExclusive("key-env", "key-file")
	return cmd
}

// chat is a conversation at the command line.
type chat struct {
	address, keyVariable, keyFile, model, system string

	in         io.Reader
	out, notes io.Writer
}

func (c *chat) run(ctx context.Context, words []string) error {
	key, err := c.key()
	if err != nil {
		return err
	}
	client, err := chatclient.New(c.address, key)
	if err != nil {
		return err
	}
	defer client.Close()
	session := &chatclient.Session{Client: client, Model: c.model, System: c.system, In: c.in, Out: c.out, Notes: c.notes}
	talks := len(words) == 0 && terminal.IsTerminal(c.in)
	prompt := ""
	if !talks {
		if prompt, err = c.prompt(words); err != nil {
			return err
		}
	}
	if session.Model == "" {
		models, err := client.Models(ctx)
		if err != nil {
			return err
		}
		if len(models) == 0 {
			return errors.New("the gateway lists no model: name one with --model")
		}
		session.Model = models[0]
	}
	// Up to here Ctrl-C ends the program, from here on an answer.
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	session.Interrupts = interrupts
	if talks {
		return session.Talk(ctx)
	}
	return session.Once(ctx, prompt)
}

// maxPrompt is what a gateway takes if nothing else is said.
const maxPrompt = 32 << 20

// prompt is the words of the command line; without any, or where one is -, it is what
// the standard input has.
func (c *chat) prompt(words []string) (string, error) {
	if len(words) == 0 {
		words = []string{"-"}
	}
	parts := make([]string, 0, len(words))
	for _, word := range words {
		if word != "-" {
			parts = append(parts, word)
			continue
		}
		text, err := io.ReadAll(io.LimitReader(c.in, maxPrompt+1))
		if err != nil {
			return "", fmt.Errorf("reading the prompt: %w", err)
		}
		if len(text) > maxPrompt {
			return "", fmt.Errorf("the prompt is larger than %d bytes", maxPrompt)
		}
		parts = append(parts, string(text))
	}
	prompt := strings.TrimSpace(strings.Join(parts, " "))
	if prompt == "" {
		return "", errors.New("there is nothing to ask: the prompt is empty")
	}
	return prompt, nil
}

// key is the credential, empty if there is none. No error tells it.
func (c *chat) key() (key string, err error) {
	switch {
	case c.keyFile != "":
		text, err := readBounded(c.keyFile)
		if err != nil {
			return "", fmt.Errorf("reading the key: %w", err)
		}
		if key = strings.TrimSpace(string(text)); key == "" {
			return "", errors.New("the file of the key is empty")
		}
	case c.keyVariable != "":
		if key = strings.TrimSpace(os.Getenv(c.keyVariable)); key == "" {
			return "", fmt.Errorf("the variable %s, which is to hold the key, is not set", c.keyVariable)
		}
	default:
		key = strings.TrimSpace(os.Getenv(chatKeyVariable))
	}
	if !httpguts.ValidHeaderFieldValue(key) {
		return "", errors.New("the key has characters that a header cannot carry")
	}
	return key, nil
}
