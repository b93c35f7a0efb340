// Keeps the page up to date. The server renders it; this script replaces the parts that have changed, and updates the
// times: down to the next change, and up from the beginning of a reason. It uses the server's clock, not the browser's.
"use strict";
(() => {
	const body = document.body, live = document.getElementById("live"), announce = document.getElementById("announce");
	const silence = 35_000; // ms; a little more than two heartbeats of the server
	let ahead = Number(body.dataset.now) - performance.now(); // the server's clock minus ours
	let lastEvent = performance.now(), tried = lastEvent, lostAt = 0;
	let source, again;

	// The parts as the server sent them, before times in them were updated.
	const parts = new Map();
	for (const part of document.querySelectorAll("main > section")) parts.set(part.id, part.innerHTML);

	function show(html) {
		const next = document.createElement("template");
		next.innerHTML = html;
		for (const part of next.content.children) {
			const place = document.getElementById(part.id);
			if (parts.get(part.id) === part.innerHTML) continue;
			parts.set(part.id, part.innerHTML);
			place.className = part.className;
			place.replaceChildren(...part.childNodes);
			if (part.dataset.title) {
				document.getElementById("icon").href = part.dataset.icon;
				if (document.title !== part.dataset.title) document.title = announce.textContent = part.dataset.title;
			}
		}
		count();
	}

	function spell(milliseconds) {
		const s = Math.max(0, Math.round(milliseconds / 1000)), two = (n) => String(n).padStart(2, "0");
		return s >= 3600 ? `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
	}

	function set(element, text) {
		if (element.textContent !== text) element.textContent = text;
	}

	function count() {
		const now = performance.now() + ahead;
		for (const time of document.querySelectorAll("[data-until]")) set(time, spell(time.dataset.until - now));
		for (const time of document.querySelectorAll("[data-since]")) set(time, spell(now - time.dataset.since));
		if (performance.now() - Math.max(lastEvent, tried) > silence) connect(); // the connection may have been lost without an error
		if (lostAt) set(live, `Not live: no events for ${spell(performance.now() - lastEvent)}. Reconnecting …`);
	}

	function alive() {
		lastEvent = performance.now();
		lostAt = 0;
		body.dataset.live = "live";
		set(live, "live");
	}

	function lost() {
		lostAt ||= performance.now();
		body.dataset.live = "stale";
		count();
	}

	function connect() {
		clearTimeout(again);
		tried = performance.now();
		if (source) {
			source.close();
			lost();
		}
		source = new EventSource(body.dataset.events);
		source.addEventListener("clock", (event) => {
			const [now, build] = event.data.split(" ");
			// The sidecar was upgraded. A page that was never live does not reload, because it could reload again and again.
			if (build !== body.dataset.build && body.dataset.live) return location.reload();
			ahead = Number(now) - performance.now();
			alive();
		});
		source.addEventListener("page", (event) => show(event.data));
		source.addEventListener("error", () => {
			lost();
			// The browser reconnects by itself, unless the reply was an error.
			if (source.readyState === EventSource.CLOSED) again = setTimeout(connect, 10_000);
		});
	}

	set(live, "connecting …");
	connect();
	count();
	setInterval(count, 250);
})();
