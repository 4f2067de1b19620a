// Keeps the page up to date. While a recording plays it stays as it is: it would fall silent.
"use strict";

(() => {
  const EACH_MS = 3000;
  const silent = () => [...document.querySelectorAll("audio")].every((one) => one.paused);

  setInterval(async () => {
    if (document.hidden || !silent()) return;
    try {
      const answer = await fetch(location.href);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("held"), held = document.getElementById("held");
      if (fresh && held && fresh.innerHTML !== held.innerHTML && silent()) held.replaceChildren(...fresh.childNodes);
    } catch {
      // The sandbox has ended, or starts again.
    }
  }, EACH_MS);
})();
