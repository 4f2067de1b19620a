// Keeps the parts of a page that are marked data-live up to date: on each event, and now and then without one;
// one with data-each="MS" as often as that, until the server leaves it out.
"use strict";

(() => {
  const SOON_MS = 300, AT_MOST_EACH_MS = 1000, NOW_AND_THEN_MS = 20000;
  const state = document.querySelector("[data-live-state]");
  let source = null, timer = 0, last = 0, busy = false;

  function say(on) {
    if (!state) return;
    state.hidden = false;
    state.classList.toggle("off", !on);
    state.textContent = on ? "Live" : "Not live; trying again";
  }

  const rows = (part) => new Set([...part.querySelectorAll("tbody a[href]")].map((a) => a.getAttribute("href")));

  // What a person is in the middle of stays: a form that is open, a field that has the focus.
  const inUse = (part) => part.querySelector("details[open]") || part.querySelector("input:focus, textarea:focus, select:focus");

  function replace(part, fresh) {
    if (part.innerHTML === fresh.innerHTML || inUse(part)) return;
    const before = rows(part), active = document.activeElement;
    const focused = part.contains(active) ? active.getAttribute("href") : null;
    part.replaceChildren(...fresh.childNodes);
    for (const row of part.querySelectorAll("tbody tr")) {
      const link = row.querySelector("a[href]");
      if (link && before.size && !before.has(link.getAttribute("href"))) row.classList.add("fresh");
    }
    if (focused) [...part.querySelectorAll("a[href]")].find((a) => a.getAttribute("href") === focused)?.focus();
  }

  async function refresh() {
    timer = 0;
    if (busy || document.hidden) return;
    busy = true;
    last = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "manual" });
      if (answer.type === "opaqueredirect") return location.reload();
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of document.querySelectorAll("[data-live][id]")) {
        const fresh = page.getElementById(part.id);
        if (!fresh) continue;
        if (!fresh.dataset.each) delete part.dataset.each;
        replace(part, fresh);
      }
    } catch {
      say(false);
    } finally {
      busy = false;
    }
  }

  function soon() {
    if (!timer) timer = setTimeout(refresh, Math.max(SOON_MS, last + AT_MOST_EACH_MS - Date.now()));
  }

  function follow() {
    source = new EventSource(`${document.documentElement.dataset.root}/api/events`);
    source.onopen = () => say(true);
    source.onerror = () => say(false);
    source.onmessage = soon;
  }

  // A browser has few connections for one host: a window that nobody sees gives its own back.
  function seen() {
    if (document.hidden) {
      source?.close();
      source = null;
    } else if (!source) {
      follow();
      soon();
    }
  }

  document.addEventListener("visibilitychange", seen);
  addEventListener("pagehide", () => { source?.close(); source = null; });
  addEventListener("pageshow", (event) => { if (event.persisted) seen(); });
  (function again() {
    const each = [...document.querySelectorAll("[data-live][data-each]")].map((part) => Number(part.dataset.each));
    setTimeout(() => { if (!document.hidden) soon(); again(); }, Math.min(NOW_AND_THEN_MS, ...each));
  })();
  if (!document.hidden) follow();
})();
