package rest

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"

	"github.com/signal-sidecar/signal-sidecar/health"
)

//go:embed page
var pageFiles embed.FS

// pageTemplate parses the templates when the page is first requested: until then they take no memory.
var pageTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{"rendered": func(b []byte) template.HTML {
		return template.HTML(b) //nolint:gosec // rendered by this same template
	}}).ParseFS(pageFiles, "page/*.html"))
})

// execute returns the output of a template, in which control characters of the services' texts are escaped. It panics
// if the template is broken; the tests run all templates.
func execute(name string, data any) []byte {
	var html strings.Builder
	if err := pageTemplate().ExecuteTemplate(&html, name, data); err != nil {
		panic(err)
	}
	return []byte(health.Escape(html.String()))
}

// assets are the files that the page loads. Their names change with their contents, so that browsers can keep them.
type assets struct {
	paths map[string]string // by file name, such as page.css
	files map[string]asset  // by the last element of the path
	build string            // changes when a file or a template changes
}

type asset struct {
	contentType string
	content     []byte
}

const iconSVG = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">` +
	`<circle cx="8" cy="8" r="7.5" fill="%s"/>` +
	`<path d="%s" fill="none" stroke="#fff" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/></svg>`

// iconColors are the colours of the tab's icon, the same as on the page.
var iconColors = map[string]string{
	kindNone: "#8a919c", kindUp: "#1a7f37", kindDrain: "#bf8700", kindMaint: "#0969da", kindDown: "#cf222e",
	kindDamped: "#8250df", kindUnknown: "#b83a00",
}

const questionMark = "M5.8 6.2a2.2 2.2 0 1 1 3.3 1.9c-.7.4-1.1.8-1.1 1.5M8 12v.1"

// iconSigns are the signs in the icon, for those who cannot distinguish its colours.
var iconSigns = map[string]string{
	kindNone: questionMark, kindUp: "M4.8 8.3l2.3 2.3 4.2-4.8", kindDrain: "M8 4.2v7M5 8.4l3 3 3-3",
	kindMaint: "M6.2 5.2v5.6M9.8 5.2v5.6", kindDown: "M5.2 5.2l5.6 5.6M10.8 5.2l-5.6 5.6", kindDamped: "M8 4.2v4l2.8 1.8",
	kindUnknown: questionMark,
}

var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

var loadAssets = sync.OnceValue(func() assets {
	a := assets{paths: map[string]string{}, files: map[string]asset{}}
	all := sha256.New()
	add := func(name string, content []byte) {
		sum := sha256.Sum256(content)
		_, _ = all.Write(sum[:])
		if contentType, served := assetTypes[path.Ext(name)]; served {
			hashed := strings.TrimSuffix(name, path.Ext(name)) + "-" + hex.EncodeToString(sum[:6]) + path.Ext(name)
			a.paths[name], a.files[hashed] = "/assets/"+hashed, asset{contentType, content}
		}
	}
	entries, err := pageFiles.ReadDir("page")
	if err != nil {
		panic(err) // it is embedded
	}
	for _, e := range entries {
		content, err := pageFiles.ReadFile("page/" + e.Name())
		if err != nil {
			panic(err)
		}
		add(e.Name(), content)
	}
	for _, kind := range slices.Sorted(maps.Keys(iconColors)) {
		add(kind+".svg", fmt.Appendf(nil, iconSVG, iconColors[kind], iconSigns[kind]))
	}
	a.build = hex.EncodeToString(all.Sum(nil)[:6])
	return a
})

// showAsset replies with a file of the page.
func showAsset(c *gin.Context) {
	file, ok := loadAssets().files[c.Param("name")]
	if !ok {
		c.Header("Content-Length", "0")
		c.Status(http.StatusNotFound)
		return
	}
	protect(c)
	c.Header("Cache-Control", "public, max-age=31536000, immutable")
	send(c.Writer, http.StatusOK, file.contentType, file.content)
}
