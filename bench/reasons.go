package main

import "strings"

// reasons lists the known reasons for missed goals, by the beginning of the figure's name. A reason is shown only for a
// missed goal.
var reasons = []struct{ figure, why string }{
	{"start", "Not profiled; the client and the node that it probes run on the same cores, and wait for them as it does."},
	{"status file", "A bare program that waits for fsnotify's event and reads the file needs 0.35 ms of it here, a thread in a blocking read of inotify 0.30: most of that is the kernel waking a sleeping core. The sidecar publishes 0.02 ms after it has read (telemetry comes later); the rest is the client, which checks every 0.2 ms."},
	{"agent: CPU", "Other designs were measured: a goroutine for each connection costs 4.0 times the floor, a plain accept loop 2.6, raw calls on the accepted connection 1.9, one locked thread in a blocking accept 1.3."},
	{"/metrics", "The goals were set when there were 145 series; now counters whose labels are known exist from the start. A profile (perf, of the whole program): 25 % is the OpenTelemetry bridge, and almost half of that is the SDK's collection; 13 % is client_golang's collector of the process, which reads /proc; 12 % is the garbage collection of all; 6 % writes the text. Most of the rest is net/http, memory allocation and the scheduler, because the registry gathers in goroutines of its own. A scrape every 15 s takes 0.02 % of a core."},
	{"idle, OTLP: CPU", "The machine is slower than the one on which the goal was set: there the C floor of the agent took 18.9 µs of CPU per reply (see below), and this figure was 0.084 %."},
	{"HAProxy, held", "HAProxy gets the change at its first check after the sidecar has noticed it (see the sections above), and needs a core for that check."},
}

func reason(figure string) string {
	for _, r := range reasons {
		if strings.HasPrefix(figure, r.figure) {
			return r.why
		}
	}
	return "Why is not known yet."
}
