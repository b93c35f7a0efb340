package main

import "strings"

// reasons is what is known of why a goal is missed, by the beginning of the figure's name. They show only where it is.
var reasons = []struct{ figure, why string }{
	{"start", "Not profiled; the client and the node that it probes run on the same cores, and wait for them as it does."},
	{"status file", "The edit itself wakes the sidecar. Not profiled; with a load above the number of cores, waiting for one is part of it."},
	{"agent: CPU", "Tried, before: a goroutine for each connection costs 4.0 times the floor, a plain accept loop 2.6, raw calls on the accepted connection 1.9, one locked thread in a blocking accept 1.3."},
	{"/signal/", "Beyond net/http there are the router, the instruments that measure each request, and the handler."},
	{"/metrics", "A profile of BenchmarkMetrics: 38 % reads /proc for process_* (the start time, limits and network counters among it), 17 % collects OpenTelemetry's instruments, 11 % writes the text, 11 % collects garbage."},
	{"idle, local: RSS", "All but the anonymous part are pages of the binary that were touched; the kernel can take them back."},
	{"idle, OTLP: RSS", "All but the anonymous part are pages of the binary that were touched; the kernel can take them back."},
	{"census", "The body is kept once (BenchmarkParseCensus); the rest is what earlier polls left for the garbage collector. Not profiled further."},
	{"HAProxy, held", "HAProxy hears of it as late as the sidecar notices (see the sections above), and then at its next check, for which it needs a core."},
}

func reason(figure string) string {
	for _, r := range reasons {
		if strings.HasPrefix(figure, r.figure) {
			return r.why
		}
	}
	return "Why is not known yet."
}
