// What all pages share: copying, and the choice of light or dark without a new page.
"use strict";

(() => {
  document.documentElement.classList.add("scripted");

  async function copy(button) {
    const said = button.textContent;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => { button.textContent = said; }, 1500);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-copy]");
    if (button) copy(button);
    for (const one of document.querySelectorAll("details.confirm[open]")) {
      if (!one.contains(event.target)) one.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const one of document.querySelectorAll("details.confirm[open]")) {
      one.open = false;
      one.querySelector("summary").focus();
    }
  });

  // The form works without this, by leading back to the page.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("form[data-theme-form]") || !event.submitter) return;
    event.preventDefault();
    const theme = event.submitter.value;
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    for (const one of form.querySelectorAll("button")) {
      one.setAttribute("aria-pressed", String(one === event.submitter));
    }
    const fields = new URLSearchParams(new FormData(form, event.submitter));
    // Goes on when somebody leaves the page at once.
    fetch(form.action, { method: "POST", body: fields, redirect: "manual", keepalive: true });
  });
})();
