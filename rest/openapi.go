package rest

import (
	_ "embed"
	"net/http"

	"github.com/gin-gonic/gin"
)

// openAPI describes every path that can be served, and every answer. Paths that a setting turns off are described with the
// 404 that they then answer, so that the description is the same for every node.
//
//go:embed openapi.json
var openAPI []byte

// describe answers the description of all answers.
func (h *handlers) describe(c *gin.Context) { answer(c.Writer, http.StatusOK, openAPI) }
