// Comfort only: without this file every action is a form and a page. Counts what is ticked, and keys on lists and outreach.
"use strict";
(() => {
  const form = document.querySelector("#selection");
  const rows = [...document.querySelectorAll("tr[data-row]")];
  const typing = (node) => node.closest?.("input:not([type=checkbox]), select, textarea, [contenteditable]");
  const grouped = new Intl.NumberFormat("en-IN");

  if (form) {
    const boxes = [...form.elements].filter((box) => box.name === "id");
    const head = document.querySelector("#tick-page");
    const total = Number(form.dataset.total);
    const recount = () => {
      const ticked = boxes.filter((box) => box.checked).length;
      const chosen = form.dataset.scope === "all" ? total - (boxes.length - ticked) : ticked;
      for (const node of document.querySelectorAll("[data-chosen]")) {
        const whole = chosen === total && node.dataset.full;
        node.textContent = whole || node.dataset.chosen.replace("{n}", grouped.format(chosen));
        if (node.matches("button")) node.disabled = chosen === 0;
      }
      for (const node of document.querySelectorAll("[data-whole]")) node.hidden = chosen !== Number(node.dataset.whole);
      head.checked = ticked === boxes.length && ticked > 0;
      head.indeterminate = ticked > 0 && ticked < boxes.length;
    };
    document.addEventListener("change", recount);
    head.hidden = false;
    head.addEventListener("change", () => { for (const box of boxes) box.checked = head.checked; recount(); });
    recount();
  }

  for (const select of document.querySelectorAll("form.filters select")) {
    select.addEventListener("change", () => select.form.requestSubmit());
  }

  const beside = document.querySelector("#beside");
  const follow = (row) => {
    if (beside && row.dataset.preview && beside.getAttribute("src") !== row.dataset.preview) beside.src = row.dataset.preview;
  };
  for (const row of rows) row.addEventListener("focusin", () => follow(row));

  const step = (by) => {
    const link = document.querySelector(by > 0 ? "a[rel=next]" : "a[rel=prev]");
    if (!rows.length) { link?.click(); return; }
    const at = rows.indexOf(document.activeElement.closest?.("tr[data-row]"));
    const row = rows[at + by];
    if (row) { row.focus(); row.scrollIntoView({ block: "nearest" }); } else if (at >= 0) link?.click();
  };
  const press = (name) => {
    const row = document.activeElement.closest?.("tr[data-row]");
    (row ?? document).querySelector(`[data-key=${name}]`)?.click();
  };
  const keys = {
    j: () => step(1), k: () => step(-1), a: () => press("a"), d: () => press("d"), x: () => press("x"),
    "/": () => document.querySelector("input[type=search]")?.focus(),
    "?": () => document.querySelector("#keys")?.showModal(),
  };
  if (document.body.dataset.keys !== "off") document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || document.querySelector("dialog[open]")) return;
    const key = keys[event.key.toLowerCase()];
    if (key) { event.preventDefault(); key(); }
  });
})();
