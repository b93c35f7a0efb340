package rest

import (
	_ "embed"
	"net/http"

	"github.com/gin-gonic/gin"
)

// openAPI describes every path and every reply. A path that a setting turns off is described with its 404, so that the
// description is the same for every node.
//
//go:embed openapi.json
var openAPI []byte

// describe replies with the OpenAPI description.
func (h *handlers) describe(c *gin.Context) { sendJSON(c.Writer, http.StatusOK, openAPI) }
