// Pages for operating: ticking all rows of a table. They work without this.
"use strict";

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-pick-all]");
  if (!button) return;
  const boxes = [...button.form.querySelectorAll("input[type=checkbox][name]")];
  const tick = boxes.some((box) => !box.checked);
  for (const box of boxes) box.checked = tick;
  button.textContent = tick ? "Untick all" : "Tick all on this page";
});
