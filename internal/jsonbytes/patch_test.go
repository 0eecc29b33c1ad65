package jsonbytes

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// patched applies the changes made by edit to text.
func patched(t *testing.T, text string, edit func(*Patch)) string {
	t.Helper()
	members, err := Scan(nil, []byte(text), 0)
	if err != nil {
		t.Fatal(err)
	}
	var p Patch
	edit(&p)
	return string(p.Append(nil, []byte(text), members))
}

func TestPatchChangesOnlyWhatItNames(t *testing.T) {
	const text = ` { "a" : 1.0 , "b":[ 1,2 ],` + "\n" + `"c\u0021" :"x" } `
	for _, c := range []struct {
		name string
		edit func(*Patch)
		want string
	}{
		{"nothing", func(*Patch) {}, text},
		{"replace", func(p *Patch) { p.Replace("b", []byte("0")) }, ` { "a" : 1.0 , "b":0,` + "\n" + `"c\u0021" :"x" } `},
		{"replace what is absent", func(p *Patch) { p.Replace("z", []byte("0")) }, text},
		{"replace behind an escape", func(p *Patch) { p.Replace("c!", []byte("0")) }, ` { "a" : 1.0 , "b":[ 1,2 ],` + "\n" + `"c\u0021" :0 } `},
		{"set", func(p *Patch) { p.Set("a", []byte("2")) }, ` { "a" : 2 , "b":[ 1,2 ],` + "\n" + `"c\u0021" :"x" } `},
		{"set what is absent", func(p *Patch) { p.Set("z\"", []byte("2")) }, ` { "a" : 1.0 , "b":[ 1,2 ],` + "\n" + `"c\u0021" :"x","z\"":2 } `},
		{"set to nothing", func(p *Patch) { p.Set("a", nil); p.Set("z", nil) }, ` { "b":[ 1,2 ],` + "\n" + `"c\u0021" :"x" } `},
		{"remove first", func(p *Patch) { p.Remove("a") }, ` { "b":[ 1,2 ],` + "\n" + `"c\u0021" :"x" } `},
		{"remove middle", func(p *Patch) { p.Remove("b") }, ` { "a" : 1.0,` + "\n" + `"c\u0021" :"x" } `},
		{"remove last", func(p *Patch) { p.Remove("c!") }, ` { "a" : 1.0 , "b":[ 1,2 ] } `},
		{"remove what is absent", func(p *Patch) { p.Remove("z") }, text},
		{"remove all and set", func(p *Patch) { p.Remove("a"); p.Remove("b"); p.Remove("c!"); p.Set("z", []byte("1")) }, ` { "z":1 } `},
		{"rename", func(p *Patch) { p.Rename("b", "x\n") }, ` { "a" : 1.0 , "x\n":[ 1,2 ],` + "\n" + `"c\u0021" :"x" } `},
		{"rename over another", func(p *Patch) { p.Rename("b", "a") }, ` { "a":[ 1,2 ],` + "\n" + `"c\u0021" :"x" } `},
		{"rename to itself", func(p *Patch) { p.Rename("a", "a") }, text},
		{"rename what is absent", func(p *Patch) { p.Rename("z", "a") }, text},
		{"swap", func(p *Patch) { p.Rename("a", "t"); p.Rename("b", "a"); p.Rename("t", "b") }, ` { "b" : 1.0 , "a":[ 1,2 ],` + "\n" + `"c\u0021" :"x" } `},
		{"rename, then replace", func(p *Patch) { p.Rename("a", "z"); p.Replace("z", []byte("2")); p.Replace("a", []byte("3")) },
			` { "z" : 2 , "b":[ 1,2 ],` + "\n" + `"c\u0021" :"x" } `},
		{"remove, then set", func(p *Patch) { p.Remove("a"); p.Set("a", []byte("2")) }, ` { "b":[ 1,2 ],` + "\n" + `"c\u0021" :"x","a":2 } `},
		{"set, then remove", func(p *Patch) { p.Set("z", []byte("2")); p.Remove("z") }, text},
		{"set, then rename", func(p *Patch) { p.Set("z", []byte("2")); p.Rename("z", "y") }, ` { "a" : 1.0 , "b":[ 1,2 ],` + "\n" + `"c\u0021" :"x","y":2 } `},
		{"last one wins", func(p *Patch) { p.Set("a", []byte("2")); p.Set("a", []byte("3")) }, ` { "a" : 3 , "b":[ 1,2 ],` + "\n" + `"c\u0021" :"x" } `},
		{"more changes than usual", func(p *Patch) {
			for i := range 7 {
				p.Set(fmt.Sprint(i), []byte("0"))
			}
			p.Remove("b")
		}, ` { "a" : 1.0,` + "\n" + `"c\u0021" :"x","0":0,"1":0,"2":0,"3":0,"4":0,"5":0,"6":0 } `},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := patched(t, text, c.edit); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestPatchFillsTheEmptyObject(t *testing.T) {
	for text, want := range map[string]string{`{}`: `{"a":1,"b":2}`, " { } ": ` {"a":1,"b":2 } `} {
		got := patched(t, text, func(p *Patch) { p.Set("a", []byte("1")); p.Set("b", []byte("2")); p.Remove("c") })
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestEverySubsetOfMembersCanBeRemoved(t *testing.T) {
	const names = "abcdef"
	for _, style := range []string{`"%c":%d`, ` "%c" : %d `} {
		for count := range len(names) + 1 {
			var parts []string
			for i := range count {
				parts = append(parts, fmt.Sprintf(style, names[i], i))
			}
			text := "{" + strings.Join(parts, ",") + "}"
			for subset := range 1 << (count + 1) {
				want := map[string]int{}
				got := patched(t, text, func(p *Patch) {
					for i := range count {
						if subset>>i&1 == 1 {
							p.Remove(names[i : i+1])
						} else {
							want[names[i:i+1]] = i
						}
					}
					if subset>>count == 1 {
						p.Set("z", []byte("9"))
						want["z"] = 9
					}
				})
				var have map[string]int
				if err := json.Unmarshal([]byte(got), &have); err != nil || fmt.Sprint(have) != fmt.Sprint(want) {
					t.Fatalf("%s without %b is %s (%v)", text, subset, got, err)
				}
			}
		}
	}
}

func TestPatchCanBeUsedAgain(t *testing.T) {
	var p Patch
	if !p.Empty() {
		t.Error("a new patch is not empty")
	}
	text := []byte(`{"a":1,"b":2,"c":3}`)
	members, err := Scan(nil, text, 0)
	if err != nil {
		t.Fatal(err)
	}
	raw := []byte("0")
	dst := make([]byte, 0, 100)
	if n := testing.AllocsPerRun(50, func() {
		p.Reset()
		p.Replace("a", raw)
		p.Rename("b", "x")
		p.Set("new", raw)
		dst = p.Append(dst[:0], text, members)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if got, want := string(dst), `{"a":0,"x":2,"c":3,"new":0}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if p.Empty() {
		t.Error("a used patch is empty")
	}
}

// script makes a patch and the same edit of a map from bytes.
func script(p *Patch, object map[string]string, bytes []byte) {
	names := []string{"a", "b", "c", "A", "é", ""}
	for i := 0; i+2 < len(bytes) && i < 30; i += 3 {
		name, to := names[int(bytes[i+1])%len(names)], names[int(bytes[i+2])%len(names)]
		raw := fmt.Sprint(i)
		value, present := object[name]
		switch bytes[i] % 4 {
		case 0:
			p.Replace(name, []byte(raw))
			if present {
				object[name] = raw
			}
		case 1:
			p.Set(name, []byte(raw))
			object[name] = raw
		case 2:
			p.Remove(name)
			delete(object, name)
		case 3:
			p.Rename(name, to)
			if present {
				delete(object, name)
				object[to] = value
			}
		}
	}
}

func FuzzPatch(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":2,"c":3}`), []byte{2, 0, 0, 2, 1, 0, 2, 2, 0, 1, 3, 0})
	f.Add([]byte(` { "a" : [1] , "\u0062":{} } `), []byte{3, 0, 1, 0, 1, 0, 1, 0, 0})
	f.Add([]byte(`{}`), []byte{1, 0, 0, 3, 0, 5})
	f.Fuzz(func(t *testing.T, text, commands []byte) {
		members, err := Scan(nil, text, 0)
		if err != nil {
			return
		}
		want := map[string]string{}
		for _, m := range members {
			want[string(appendUnescaped(nil, m.Key.Of(text)))] = string(m.Raw(text))
		}
		var p Patch
		script(&p, want, commands)
		got := p.Append(nil, text, members)
		if p.Empty() && string(got) != string(text) {
			t.Fatalf("an empty patch made %q of %q", got, text)
		}
		if err := Check(got, 0); err != nil {
			t.Fatalf("%q became %q: %v", text, got, err)
		}
		left := 0
		for key, value := range Parse(got).Members() {
			left++
			if want[string(key)] != string(value) {
				t.Fatalf("member %q is %q, want %q", key, value, want[string(key)])
			}
		}
		if left != len(want) {
			t.Fatalf("%d members in %q, want %d", left, got, len(want))
		}
	})
}
