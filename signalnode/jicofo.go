package signalnode

import "net/http"

const (
	jicofoHealth = "/about/health"
	jicofoStats  = "/stats"
)

// jicofo replies like jicofo's REST interface.
type jicofo struct{ *contents }

func (jicofo) paths() []string { return []string{jicofoHealth, jicofoStats} }

func (j jicofo) healthy(r *http.Request) answer {
	switch r.URL.Path {
	case jicofoHealth:
		return answer{http.StatusOK, plainText, []byte("OK")}
	case jicofoStats:
		return jsonAnswer(jicofoStatistics(j.load()))
	default:
		return j.failing(r, http.StatusNotFound)
	}
}

// failing adds the message of a failed check on the health endpoint, as jicofo does.
func (jicofo) failing(r *http.Request, code int) answer {
	text := http.StatusText(code)
	if r.URL.Path == jicofoHealth {
		switch code {
		case http.StatusOK:
			text = "OK"
		case http.StatusInternalServerError:
			text = "No operational bridges available (total bridge count: 0)"
		case http.StatusServiceUnavailable:
			text = "Health check timed out, overloaded"
		}
	}
	return answer{code, plainText, []byte(text)}
}

// jicofoStatistics holds the keys of a recent jicofo's /stats. The values that depend on the load are derived from it;
// the others are those of an idle node.
func jicofoStatistics(participants, conferences int) map[string]any {
	largest, sizes := 0, make([]int, 22)
	if conferences > 0 {
		largest = (participants + conferences - 1) / conferences
		sizes[max(0, min(largest, len(sizes)-1))] = conferences
	}
	return map[string]any{
		"participants":              participants,
		"conferences":               conferences,
		"largest_conference":        largest,
		"conference_sizes":          sizes,
		"total_participants":        participants,
		"total_conferences_created": conferences,
		"conferences_with_visitors": 0,
		"visitors":                  0,
		"endpoint_pairs":            conferences * largest * (largest - 1),
		"threads":                   64,
		"slow_health_check":         0,
		"bridge_selector": map[string]any{
			"bridge_count": 2, "operational_bridge_count": 2, "in_shutdown_bridge_count": 0, "lost_bridges": 0,
			"total_least_loaded_in_region": 0, "total_split_due_to_load": 0,
		},
		"jibri_detector":     map[string]any{"count": 1, "available": 1},
		"sip_jibri_detector": map[string]any{"count": 0, "available": 0},
		"jigasi_detector":    map[string]any{"count": 1, "in_graceful_shutdown": 0},
		"bridge_failures":    map[string]any{"participants_moved": 0, "bridges_removed": 0},
		"queues":             map[string]any{"jibri-iq-queue": map[string]any{"dropped_packets": 0, "exceptions": 0}},
		"xmpp":               map[string]any{"disconnects": 0, "total_recv": 0, "total_sent": 0},
		"xmpp_service":       map[string]any{"disconnects": 0, "total_recv": 0, "total_sent": 0},
	}
}
