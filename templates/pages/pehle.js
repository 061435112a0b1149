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

  // The question of the confirmation page, over the list. Whatever goes wrong, the page itself is one step away.
  const ask = document.querySelector("#ask");
  form?.addEventListener("submit", async (event) => {
    const pressed = event.submitter;
    const address = `${form.action}?${new URLSearchParams(new FormData(form, pressed))}`;
    event.preventDefault();
    if (form.ariaBusy) return;
    form.ariaBusy = "true";
    try {
      const answer = await fetch(address);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      ask.replaceChildren(...page.querySelector("section:has(> #question)").childNodes);
      ask.querySelector("[data-close]").addEventListener("click", (click) => { click.preventDefault(); ask.close(); });
      ask.addEventListener("close", () => pressed.focus(), { once: true });
      ask.showModal();
      ask.scrollTop = 0;
    } catch {
      location.href = address;
    }
    form.ariaBusy = null;
  });

  for (const select of document.querySelectorAll("form.filters select")) {
    select.addEventListener("change", () => select.form.requestSubmit());
  }

  let beside = document.querySelector("#beside");
  let read = beside?.getAttribute("src");
  const follow = (row) => {
    if (!beside || row.dataset.preview === read) return;
    read = row.dataset.preview;
    const next = beside.cloneNode(); // a new frame: a new src on the old one would put every row into the history,
    next.src = read; // and a lazy frame that has not loaded yet forgets where it was sent
    beside.replaceWith(next);
    beside = next;
    document.querySelector("#beside-name").textContent = row.querySelector(".name").textContent;
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
    (rows.length ? row : document)?.querySelector(`[data-key=${name}]`)?.click(); // on a list only the row one stands on
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
