package llmproxy

import (
	"crypto/sha256"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// watchEvery is how often config files are looked at. Their content is hashed:
// that works where notifications do not, with files that editors replace,
// mounted ConfigMaps and network disks.
const watchEvery = time.Second

// watcher calls a function every second, on a goroutine of its own.
type watcher struct {
	done  chan struct{}
	ended sync.WaitGroup
}

func startWatcher(look func()) *watcher {
	w := &watcher{done: make(chan struct{})}
	w.ended.Go(func() {
		ticker := time.NewTicker(watchEvery)
		defer ticker.Stop()
		for {
			select {
			case <-w.done:
				return
			case <-ticker.C:
				look()
			}
		}
	})
	return w
}

// stop ends the watching and waits for the goroutine.
func (w *watcher) stop() {
	if w == nil {
		return
	}
	close(w.done)
	w.ended.Wait()
}

// watchedFile is a file that is looked at, and what was last made of it.
type watchedFile struct {
	digest [sha256.Size]byte
	failed string // the error that was logged last, so that it is not logged every second
	// refused tells that the file's present text is.
	refused atomic.Bool
}

// changed tells whether the file has another content than what is in use. One
// that was refused goes on being so: what it lacks may come with another file.
func (f *watchedFile) changed(path string) (text []byte, digest [sha256.Size]byte, err error) {
	if text, err = readBounded(path); err != nil {
		return nil, digest, err
	}
	if digest = sha256.Sum256(text); digest == f.digest {
		f.failed = ""
		f.refused.Store(false)
		return nil, digest, nil
	}
	return text, digest, nil
}

// reload puts a file into use if it has changed. What is wrong with it is logged
// once.
func (f *watchedFile) reload(logger *zap.Logger, what, path string, use func(text []byte) error) {
	text, digest, err := f.changed(path)
	if err == nil && text == nil {
		return
	}
	if err == nil {
		err = use(text)
	}
	switch {
	case err == nil:
		f.digest, f.failed = digest, ""
		f.refused.Store(false)
		countReload()
		logger.Info(what+" reloaded", zap.String("file", path))
	case err.Error() != f.failed:
		f.failed = err.Error()
		f.refused.Store(true)
		reloadsRefused.Inc()
		everyTime(logger).Error(what+" refused, the last good one stays in use", zap.String("file", path), zap.Error(err))
	}
}

// reload looks at every file and puts into use what has changed.
func (a *App) reload() {
	if a.ConfigFile != "" {
		a.reloadFile(&a.watched, a.ConfigFile, a.useFile)
	}
	for _, h := range a.list() {
		if h.ConfigFile != "" {
			a.reloadFile(&h.watched, h.ConfigFile, h.useFile)
		}
	}
	if who := a.authority.Load(); who != nil {
		who.reload(a.logger)
	}
	for _, h := range a.list() {
		if g := h.acquire(); g != nil {
			if g.counted != nil {
				g.counted.tellIfAway(a.logger)
			}
			if g.own != nil {
				g.own.reload(a.logger)
			}
			g.release()
		}
	}
}

func (a *App) reloadFile(watched *watchedFile, path string, use func(*configFile) error) {
	watched.reload(a.logger, "config file", path, func(text []byte) error {
		file, err := parseConfigFile(path, text)
		if err != nil {
			return err
		}
		return use(file)
	})
}

// useFile puts the app's file into use at all handlers, or at none.
func (a *App) useFile(file *configFile) error {
	if err := file.notNested(); err != nil {
		return err
	}
	who, err := a.authorityOf(file) // in which a mistake shows even where no handler finds it
	if err != nil {
		return file.locate(err)
	}
	handlers := a.list()
	built := make([]*generation, 0, len(handlers))
	for _, h := range handlers {
		g, err := h.build(file, who, h.file)
		if err == nil {
			if err = g.use(); err != nil {
				g.release()
			}
		}
		if err != nil {
			for _, g := range built {
				g.release()
			}
			if who != a.authority.Load() {
				who.release()
			}
			return file.locate(err)
		}
		built = append(built, g)
	}
	a.file = file
	if old := a.authority.Swap(who); old != who {
		old.release()
	}
	for i, h := range handlers {
		h.swap(built[i])
	}
	return nil
}

// useFile puts the handler's own file into use.
func (h *Handler) useFile(file *configFile) error {
	if err := file.notNested(); err != nil {
		return err
	}
	g, err := h.build(h.app.file, h.app.authority.Load(), file)
	if err != nil {
		return file.locate(err)
	}
	if err := g.use(); err != nil {
		g.release()
		return file.locate(err)
	}
	h.file = file
	h.swap(g)
	return nil
}

func (a *App) list() []*Handler {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.handlers
}
