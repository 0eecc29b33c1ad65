package llmproxy

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/internal/terminal"
)

func keysCommand() *cobra.Command {
	keys := &cobra.Command{Use: "keys", Short: "Makes and lists the keys of clients"}
	keys.AddCommand(newKeyCommand(), hashCommand(), listCommand())
	return keys
}

func newKeyCommand() *cobra.Command {
	key := new(Key)
	var id string
	cmd := &cobra.Command{
		Use:   "new [--id <id>] [--models <glob>,...] [--group <id>] [--expires <date>]",
		Short: "Makes a key: prints its secret, once, and the lines for the config",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printNewKey(cmd.OutOrStdout(), id, key)
		},
	}
	cmd.Flags().StringVar(&id, "id", "", "The id, which logs show (default: a part of the secret)")
	cmd.Flags().StringSliceVar((*[]string)(&key.Models), "models", nil, "The globs of the models that it may use (default: all)")
	cmd.Flags().StringVar(&key.Group, "group", "", "The group that it is in")
	cmd.Flags().StringVar(&key.Expires, "expires", "", "The date from which on it is refused")
	return cmd
}

// printNewKey makes a secret for a key and writes both for people to copy.
func printNewKey(out io.Writer, id string, key *Key) error {
	secret, public := auth.NewSecret()
	if id == "" {
		id = public
	}
	key.Digest = []string{auth.DigestOf(secret).String()}
	if strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || strings.ContainsRune("\"'`{}#:", r) }) || !validKeyID(id) {
		return errors.New("an id is a short word without spaces, quotes, braces, colons and #")
	}
	if err := key.check(); err != nil {
		return err
	}
	var lines strings.Builder
	for _, line := range []struct{ name, value string }{
		{"group", key.Group}, {"models", strings.Join(key.Models, " ")}, {"expires", key.Expires},
	} {
		if line.value != "" {
			fmt.Fprintf(&lines, "\t%s %s\n", line.name, line.value)
		}
	}
	block := ""
	if lines.Len() > 0 {
		block = " {\n" + lines.String() + "}"
	}
	text, err := json.Marshal(key) // which is YAML too
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "Secret, which is shown only now:\n\n%s\n\nIn a Caddyfile, within auth:\n\nkey %s %s%s\n\nIn YAML, within keys:\n\n%s: %s\n",
		secret, id, key.Digest[0], block, id, text)
	return err
}

func hashCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "hash",
		Short: "Reads a secret from the standard input and prints its digest",
		// An argument would show to whoever lists processes, and stay in the shell's history.
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return errors.New("a secret is no argument: others can see those; write it to the standard input")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			line, err := bufio.NewReader(io.LimitReader(cmd.InOrStdin(), maxSecretLine)).ReadString('\n')
			if err != nil && !errors.Is(err, io.EOF) {
				return fmt.Errorf("reading the secret: %w", err)
			}
			secret := strings.TrimRight(line, "\r\n")
			if err := auth.CheckSecret(secret); err != nil {
				return fmt.Errorf("the secret %w", err)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), auth.DigestOf(secret))
			return err
		},
	}
}

const maxSecretLine = 64 << 10

func listCommand() *cobra.Command {
	var file, address string
	cmd := &cobra.Command{
		Use:   "list [--config <keys file> | --address <admin address>]",
		Short: "Lists keys: those of a file, or those of the running gateway",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list []auth.KeyInfo
			var err error
			if file != "" {
				list, err = keysOfFile(file)
			} else {
				list, err = keysOfServer(address)
			}
			if err != nil {
				return err
			}
			return printKeys(cmd.OutOrStdout(), list)
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "", "A file of keys, or a YAML config of llm_proxy")
	cmd.Flags().StringVar(&address, "address", "", "The address of the admin API, if not the usual one")
	cmd.MarkFlagsMutuallyExclusive("config", "address")
	return cmd
}

// keysOfFile reads a file without resolving its placeholders.
func keysOfFile(path string) ([]auth.KeyInfo, error) {
	text, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	file, err := parseKeyFile(path, text, true)
	if err != nil {
		config, configErr := parseConfigFile(path, text)
		if configErr != nil || config.Config.Auth == nil {
			return nil, err
		}
		file = &keyFile{Keys: config.Config.Auth.Keys, Groups: config.Config.Auth.Groups}
	}
	return file.list()
}

// list tells of the keys without resolving their secrets. A group that the file
// does not have is one of the config that names the file.
func (f *keyFile) list() ([]auth.KeyInfo, error) {
	groups := maps.Clone(f.Groups)
	for _, key := range f.Keys {
		if key.Group != "" && groups[key.Group] == nil {
			if groups == nil {
				groups = make(map[string]*Group)
			}
			groups[key.Group] = new(Group)
		}
	}
	bare, secrets := make(map[string]*Key, len(f.Keys)), make(map[string]int, len(f.Keys))
	for id, key := range f.Keys {
		bare[id] = &Key{Group: key.Group, Rights: key.Rights}
		secrets[id] = len(key.Digest) + len(key.Secret)
	}
	keys, resolved, err := resolveKeys(nil, "", bare, groups)
	if err != nil {
		return nil, err
	}
	known, err := auth.New(auth.Settings{Keys: keys, Groups: resolved})
	if err != nil {
		return nil, err
	}
	list := known.Keys()
	for i := range list {
		list[i].Secrets = secrets[list[i].ID]
	}
	return list, nil
}

// keysOfServer asks the admin API.
func keysOfServer(address string) ([]auth.KeyInfo, error) {
	admin := adminClient{address: address}
	var report []handlerKeys
	if err := admin.get("/llm_proxy/keys", &report); err != nil {
		return nil, err
	}
	var list []auth.KeyInfo
	for _, handler := range report {
		list = append(list, handler.Keys...)
	}
	return list, nil
}

func printKeys(out io.Writer, list []auth.KeyInfo) error {
	keys := terminal.NewTable("ID", "GROUP", "MODELS", "NOT BEFORE", "EXPIRES", "SECRETS", "STATE")
	for _, key := range list {
		var models []string
		for _, globs := range key.Models {
			models = append(models, strings.Join(globs, ","))
		}
		keys.Row(key.ID, key.Group, strings.Join(models, " and "), day(key.NotBefore), day(key.Expires), strconv.Itoa(key.Secrets), state(key))
	}
	return keys.Print(out)
}

func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func state(key auth.KeyInfo) string {
	now := time.Now()
	switch {
	case key.Disabled:
		return "disabled"
	case now.Before(key.NotBefore):
		return "not yet valid"
	case !key.Expires.IsZero() && !now.Before(key.Expires):
		return "expired"
	}
	return "valid"
}
