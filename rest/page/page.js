// Keeps the page up to date. The server renders it; this script replaces the parts that have changed, and updates the
// times: down to the next change, and up from the beginning of a reason. It uses the server's clock, not the browser's.
"use strict";
(() => {
	const body = document.body, live = document.getElementById("live"), announce = document.getElementById("announce");
	const silence = 12_000; // ms; a little more than two heartbeats of the server
	let ahead = Number(body.dataset.now) - performance.now(); // the server's clock minus ours
	let lastEvent = performance.now(), lostAt = 0;
	let contact = { at: lastEvent, date: Date.now() }; // the last event, or the last try to connect
	let source, again;
	const tab = document.getElementById("icon");
	let title = document.title, icon = tab.getAttribute("href"), announced = title;

	// The parts as the server sent them, before times in them were updated.
	const parts = new Map();
	for (const part of document.querySelectorAll("main > section")) parts.set(part.id, part.outerHTML);

	function show(html) {
		const next = document.createElement("template");
		next.innerHTML = html;
		for (const part of next.content.children) {
			const place = document.getElementById(part.id);
			if (parts.get(part.id) === part.outerHTML) continue;
			parts.set(part.id, part.outerHTML);
			keeping(() => patch(place, part));
			if (part.dataset.title) [title, icon] = [part.dataset.title, part.dataset.icon];
		}
		count();
	}

	const key = (node) => node.dataset?.key;

	// patch makes an element like the next one, and replaces only what differs. A child with a key becomes like the one
	// with the same key, wherever that is; others become like the one in their place.
	function patch(place, next) {
		for (const { name } of [...place.attributes]) if (!next.hasAttribute(name)) place.removeAttribute(name);
		for (const { name, value } of next.attributes) if (place.getAttribute(name) !== value) place.setAttribute(name, value);
		if (next.dataset.since || next.dataset.until) return; // count writes its text
		const children = [...next.childNodes], keys = new Set(children.map(key));
		const keyed = new Map([...place.children].filter(key).map((child) => [key(child), child]));
		let at = place.firstChild; // the children before it are done
		const drop = () => {
			const gone = at;
			at = at.nextSibling;
			gone.remove();
		};
		for (const is of children) {
			const found = key(is) && keyed.get(key(is)); // undefined for a child without a key
			if (found) while (at && !keys.has(key(at) ?? "")) drop();
			else while (at && key(at) && !keys.has(key(at))) drop();
			const was = key(is) ? found : at;
			if (!was || was.nodeName !== is.nodeName || key(was) !== key(is)) {
				place.insertBefore(is, at);
				continue;
			}
			keyed.delete(key(is));
			if (was === at) at = at.nextSibling;
			else place.insertBefore(was, at);
			if (was.nodeType === Node.ELEMENT_NODE) patch(was, is);
			else if (was.data !== is.data) was.data = is.data;
		}
		while (at) drop();
	}

	// keeping calls change, and restores what it takes from the user: a selection in a text that was moved or written
	// anew, and the focus.
	function keeping(change) {
		const selection = getSelection(), focused = document.activeElement;
		const ends = [selection.anchorNode, selection.anchorOffset, selection.focusNode, selection.focusOffset];
		change();
		const now = [selection.anchorNode, selection.anchorOffset, selection.focusNode, selection.focusOffset];
		const length = (node) => node.data?.length ?? node.childNodes.length;
		const moved = (i) => ends[i]?.isConnected && (ends[i] !== now[i] || ends[i].nodeType === Node.TEXT_NODE);
		const kept = [0, 2].flatMap((i) => moved(i) ? [ends[i], Math.min(ends[i + 1], length(ends[i]))] : [now[i], now[i + 1]]);
		if (kept[0] && kept[2] && kept.some((value, i) => value !== now[i])) selection.setBaseAndExtent(...kept);
		if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
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
		if (announced !== shown) announced = announce.textContent = shown;
	}

	// count updates the times. While the page is not live, they stay as they were when that was noticed.
	function count() {
		const now = performance.now() + ahead;
		if (!lostAt) keeping(() => {
			for (const time of document.querySelectorAll("[data-until]")) set(time, spell(time.dataset.until - now));
			for (const time of document.querySelectorAll("[data-since]")) set(time, spell(now - time.dataset.since));
		});
		// The connection may have been lost without an error. performance.now stops while the computer sleeps.
		if (Math.max(performance.now() - contact.at, Date.now() - contact.date) > silence) connect();
		showTab();
		if (lostAt) set(live, `Not live: no events for ${spell(performance.now() - lastEvent)}. Reconnecting …`);
	}

	function alive() {
		[lastEvent, lostAt] = [performance.now(), 0];
		contact = { at: lastEvent, date: Date.now() };
		body.dataset.live = "live";
		set(live, "live");
		showTab();
	}

	function lost() {
		lostAt ||= performance.now();
		body.dataset.live = "stale";
		count();
	}

	function connect() {
		clearTimeout(again);
		contact = { at: performance.now(), date: Date.now() };
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
