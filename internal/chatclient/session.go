package chatclient

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/caddyllm/llmproxy/internal/terminal"
)

// Session is a conversation.
type Session struct {
	Client *Client
	// Model is what is asked for, and System what it is told first, if not empty.
	Model, System string
	// In is where questions are typed. Answers go to Out, all else to Notes.
	In         io.Reader
	Out, Notes io.Writer
	// Interrupts tells of each Ctrl-C.
	Interrupts <-chan os.Signal

	said []Message
}

// errInterrupted is an answer that nobody wants any more.
var errInterrupted = errors.New("interrupted")

// Once asks one question and prints nothing but the answer.
func (s *Session) Once(ctx context.Context, question string) error {
	answer, err := s.ask(ctx, question)
	if err == nil && answer.Finish == "length" {
		_, err = fmt.Fprintln(s.Notes, "The answer ends at the model's limit of tokens.")
	}
	return err
}

// maxLine bounds what is typed or pasted as one line.
const maxLine = 1 << 20

// Talk asks what is typed, line by line, until there is no more.
func (s *Session) Talk(ctx context.Context) error {
	fmt.Fprintf(s.Notes, "Talking to %s. /model <name>, /clear, /quit; Ctrl-C stops an answer, Ctrl-D ends.\n", terminal.Plain(s.Model))
	typed, asked := make(chan string), make(chan struct{})
	defer close(asked)
	go s.readLines(typed, asked)
	for {
		fmt.Fprint(s.Notes, "> ")
		select {
		case asked <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		line, ok := s.nextLine(ctx, typed)
		if !ok {
			fmt.Fprintln(s.Notes)
			return nil
		}
		switch word, rest, _ := strings.Cut(line, " "); {
		case line == "":
		case line == "/quit", line == "/exit":
			return nil
		case line == "/clear":
			s.said = nil
			fmt.Fprintln(s.Notes, "A new conversation.")
		case word == "/model":
			s.setModel(strings.TrimSpace(rest))
		case strings.HasPrefix(word, "/") && !strings.Contains(word[1:], "/"):
			fmt.Fprintln(s.Notes, "There are /model <name>, /clear and /quit.")
		default:
			s.answer(ctx, line)
		}
	}
}

// readLines reads a line each time that one is asked for.
func (s *Session) readLines(typed chan<- string, asked <-chan struct{}) {
	defer close(typed)
	lines := bufio.NewScanner(s.In)
	lines.Buffer(nil, maxLine)
	for range asked {
		if !lines.Scan() {
			if lines.Err() != nil {
				fmt.Fprintf(s.Notes, "\n%v\n", lines.Err())
			}
			return
		}
		typed <- strings.TrimSpace(lines.Text())
	}
}

// nextLine waits for a line. Ctrl-C has nothing to stop here.
func (s *Session) nextLine(ctx context.Context, typed <-chan string) (string, bool) {
	for {
		select {
		case line, ok := <-typed:
			return line, ok
		case <-s.Interrupts:
			fmt.Fprint(s.Notes, "\nCtrl-D or /quit ends.\n> ")
		case <-ctx.Done():
			return "", false
		}
	}
}

func (s *Session) setModel(name string) {
	if name == "" {
		fmt.Fprintf(s.Notes, "The model is %s.\n", terminal.Plain(s.Model))
		return
	}
	s.Model = name
	fmt.Fprintf(s.Notes, "Talking to %s from here on.\n", terminal.Plain(name))
}

// answer asks, and says what the answer took or why there is none.
func (s *Session) answer(ctx context.Context, question string) {
	answer, err := s.ask(ctx, question)
	switch {
	case errors.Is(err, errInterrupted):
		fmt.Fprintln(s.Notes, "[stopped]")
	case err != nil:
		fmt.Fprintf(s.Notes, "Error: %v\n", err)
	default:
		fmt.Fprintln(s.Notes, summary(&answer))
	}
}

// ask adds a question and its answer to the conversation. A question without any
// answer is taken back.
func (s *Session) ask(ctx context.Context, question string) (Answer, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-s.Interrupts:
			cancel(errInterrupted)
		case <-done:
		}
	}()
	messages := make([]Message, 0, len(s.said)+2)
	if s.System != "" {
		messages = append(messages, Message{"system", s.System})
	}
	s.said = append(s.said, Message{"user", question})
	ends := true
	answer, err := s.Client.Ask(ctx, s.Model, append(messages, s.said...), func(text string) {
		_, _ = io.WriteString(s.Out, text) // a pipe that is closed ends the process
		ends = strings.HasSuffix(text, "\n")
	})
	if !ends {
		_, _ = io.WriteString(s.Out, "\n")
	}
	if answer.Text == "" {
		s.said = s.said[:len(s.said)-1]
	} else {
		s.said = append(s.said, Message{"assistant", answer.Text})
	}
	return answer, err
}

func summary(a *Answer) string {
	var parts []string
	if a.Input > 0 || a.Output > 0 {
		parts = append(parts, fmt.Sprintf("%d tokens in, %d out", a.Input, a.Output))
	}
	parts = append(parts, fmt.Sprintf("%.1fs", a.Total.Seconds()))
	if a.First > 0 {
		parts = append(parts, fmt.Sprintf("first word after %.1fs", a.First.Seconds()))
	}
	if a.Cost != "" {
		parts = append(parts, terminal.Dollars(a.Cost))
	}
	if a.Finish != "" && a.Finish != "stop" {
		parts = append(parts, "ended by "+terminal.Plain(a.Finish))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}
