package llmproxy_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestConnectionsAreOpenedBeforeTheFirstCall(t *testing.T) {
	provider, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer provider.Close()
	accepted := make(chan net.Conn, 8)
	go func() {
		defer close(accepted)
		for {
			c, err := provider.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dir := t.TempDir()
	config := fmt.Sprintf("http://:%s {\n\tbind 127.0.0.1\n\tllm_proxy {\n\t\tprovider local openai_compatible {\n\t\t\tbase_url http://%s\n\t\t\twarm_connections 2\n\t\t}\n\t\tauth anonymous\n\t}\n}\n",
		freePort(t), provider.Addr())
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, dir, nil, "--config", "Caddyfile")
	for range 2 {
		select {
		case c := <-accepted:
			defer c.Close()
		case <-time.After(patience):
			t.Fatal("no connection was opened")
		}
	}
}
