package rest

import (
	"encoding/json"
	"net/http"

	"github.com/gin-gonic/gin"
)

// explain says why the verdict is what it is, and what comes next. The code is 200 whatever the verdict: it is an answer
// about the answer.
func (h *handlers) explain(c *gin.Context) {
	body, err := json.Marshal(h.source.Current().Explain())
	if err != nil {
		_ = c.AbortWithError(http.StatusInternalServerError, err)
		return
	}
	answer(c, http.StatusOK, body)
}
