package jsonbytes

import "testing"

func TestWriterPutsCommasBetween(t *testing.T) {
	w := Writer{Out: []byte("x")}
	w.Raw("{")
	w.Text("a", "\"\n")
	w.Member("absent", nil)
	w.Member("null", Value("null"))
	w.Member("b", Value("[ 1 ]"))
	w.Key("k\"ey")
	w.Raw("[")
	for _, v := range []string{"1", `"[`, "{}"} {
		w.Comma()
		w.String(v)
	}
	w.Comma()
	w.Int(-7)
	w.Comma()
	w.Bool(true)
	w.Comma()
	w.Bytes([]byte("\t"))
	w.Comma()
	w.Compact(Value(`{ "a" : 1 }`))
	w.Raw("]}")
	if want := `x{"a":"\"\n","b":[ 1 ],"k\"ey":["1","\"[","{}",-7,true,"\t",{"a":1}]}`; string(w.Out) != want {
		t.Errorf("got %s, want %s", w.Out, want)
	}
}
