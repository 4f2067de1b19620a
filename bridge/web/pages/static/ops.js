// Pages for operating: parts that look again by themselves, and ticking all rows. All of them work without this.
"use strict";

(() => {
  // A part with data-refresh="MS" is fetched again while it has that; its forms are left alone while in use.
  async function refresh(part) {
    const id = part.id;
    const busy = part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea");
    if (!document.hidden && !busy) {
      try {
        const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error" });
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.getElementById(id);
        const now = document.getElementById(id);
        if (answer.ok && fresh && now && fresh.innerHTML !== now.innerHTML) {
          const focused = document.activeElement?.id;
          now.replaceWith(fresh);
          if (fresh.dataset.fresh !== undefined && fresh.dataset.mark !== now.dataset.mark) fresh.classList.add("fresh");
          if (focused) document.getElementById(focused)?.focus();
          document.title = page.title;
        }
      } catch { /* The next look may go better. */ }
    }
    watch(document.getElementById(id));
  }

  function watch(part) {
    if (part?.dataset.refresh) setTimeout(() => refresh(part), Number(part.dataset.refresh));
    else if (part && part.dataset.reload !== undefined) location.reload();
  }

  document.querySelectorAll("[data-refresh]").forEach(watch);

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-pick-all]");
    if (!button) return;
    const boxes = [...button.form.querySelectorAll("input[type=checkbox][name]")];
    const tick = boxes.some((box) => !box.checked);
    for (const box of boxes) box.checked = tick;
    button.textContent = tick ? "Untick all" : "Tick all on this page";
  });
})();
