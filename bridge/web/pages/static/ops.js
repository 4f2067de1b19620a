// Pages for operating: ticking all rows of a table, filling a text from a file. They work without this.
"use strict";

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-pick-all]");
  if (!button) return;
  const boxes = [...button.form.querySelectorAll("input[type=checkbox][name]")];
  const tick = boxes.some((box) => !box.checked);
  for (const box of boxes) box.checked = tick;
  button.textContent = tick ? "Untick all" : "Tick all on this page";
});

for (const input of document.querySelectorAll("input[type=file][data-fills]")) {
  input.closest("[hidden]").hidden = false;
  input.addEventListener("change", async () => {
    if (input.files[0]) document.getElementById(input.dataset.fills).value = await input.files[0].text();
  });
}
