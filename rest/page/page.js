// Keeps the page up to date. The server renders it; this script replaces the parts that have changed, and updates the
// times: down to the next change, and up from the beginning of a reason. It uses the server's clock, not the browser's.
"use strict";
(() => {
	const body = document.body, live = document.getElementById("live"), announce = document.getElementById("announce");
	const silence = 35_000; // ms; a little more than two heartbeats of the server
	let ahead = Number(body.dataset.now) - performance.now(); // the server's clock minus ours
	let lastEvent = performance.now(), tried = lastEvent, lostAt = 0;
	let source, again;
	const tab = document.getElementById("icon");
	let title = document.title, icon = tab.getAttribute("href"), announced = title;

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
			patch(place, part);
			if (part.dataset.title) {
				[title, icon] = [part.dataset.title, part.dataset.icon];
				if (announced !== title) announced = announce.textContent = title;
			}
		}
		count();
	}

	// patch makes an element like the next one. It replaces only what differs, so that a selection in the rest stays.
	function patch(place, next) {
		for (const { name } of [...place.attributes]) if (!next.hasAttribute(name)) place.removeAttribute(name);
		for (const { name, value } of next.attributes) if (place.getAttribute(name) !== value) place.setAttribute(name, value);
		if (next.dataset.since || next.dataset.until) return; // count writes its text
		const old = [...place.childNodes], children = [...next.childNodes];
		let kept = 0; // at the end; a new change is added at the beginning of the list
		while (kept < Math.min(old.length, children.length) && old.at(-1 - kept).isEqualNode(children.at(-1 - kept))) kept++;
		const end = old[old.length - kept] ?? null;
		for (let i = 0; i < Math.max(old.length, children.length) - kept; i++) {
			const was = i < old.length - kept ? old[i] : null, is = i < children.length - kept ? children[i] : null;
			if (!is) was.remove();
			else if (!was) place.insertBefore(is, end);
			else if (was.nodeName !== is.nodeName) was.replaceWith(is);
			else if (was.nodeType === Node.ELEMENT_NODE) patch(was, is);
			else if (was.data !== is.data) was.data = is.data;
		}
	}

	function spell(milliseconds) {
		const s = Math.max(0, Math.round(milliseconds / 1000)), two = (n) => String(n).padStart(2, "0");
		if (s >= 86400) return `${Math.floor(s / 86400)} d ${two(Math.floor(s / 3600) % 24)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
		return s >= 3600 ? `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
	}

	function set(element, text) {
		if (element.textContent === text) return;
		if (element.firstChild?.nodeType === Node.TEXT_NODE) element.firstChild.data = text; // a selection around it stays
		else element.textContent = text;
	}

	// The tab shows what is known now, not what was known when the last event came.
	function showTab() {
		const shown = lostAt ? `Unknown, was: ${title}` : title, image = lostAt ? tab.dataset.unknown : icon;
		if (document.title !== shown) document.title = shown;
		if (tab.getAttribute("href") !== image) tab.setAttribute("href", image);
	}

	function count() {
		const now = performance.now() + ahead;
		for (const time of document.querySelectorAll("[data-until]")) set(time, spell(time.dataset.until - now));
		for (const time of document.querySelectorAll("[data-since]")) set(time, spell(now - time.dataset.since));
		if (performance.now() - Math.max(lastEvent, tried) > silence) connect(); // the connection may have been lost without an error
		showTab();
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
