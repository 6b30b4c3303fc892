// SPDX-License-Identifier: MIT
"use strict";
// Filters by verdict, lane and text. Without this script everything is shown, and the controls are not.
const filters = document.querySelector(".filters");
const boxes = [...filters.querySelectorAll("input[type=checkbox]")];
const choice = filters.querySelector("select");
const words = filters.querySelector("input[type=search]");
const rows = [...document.querySelectorAll(".matrix tbody tr[data-detail]")];
const headings = [...document.querySelectorAll(".matrix thead th[data-lanes]")];
const tally = filters.querySelector("output");

function apply() {
  const verdicts = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
  const lanes = new Set(choice.value.split(" "));
  const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of rows) {
    let any = false;
    for (const cell of row.querySelectorAll("td")) {
      cell.hidden = !lanes.has(cell.dataset.lane);
      any ||= !cell.hidden && (verdicts.has(cell.dataset.verdict) || !cell.dataset.verdict && verdicts.size === boxes.length);
    }
    const detail = document.getElementById(row.dataset.detail);
    const text = detail.textContent.toLowerCase();
    row.hidden = detail.hidden = !(any && wanted.every((word) => text.includes(word)));
    shown += !row.hidden;
  }
  for (const heading of headings) {
    const visible = heading.dataset.lanes.split(" ").filter((lane) => lanes.has(lane)).length;
    heading.hidden = visible === 0;
    heading.colSpan = Math.max(visible, 1);
  }
  tally.textContent = `${shown} of ${rows.length} scripts`;
}

function reveal() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const detail = target && target.closest("details.script");
  if (detail) {
    detail.hidden = false;
    detail.open = true;
    target.scrollIntoView();
  }
}

filters.addEventListener("input", apply);
window.addEventListener("hashchange", reveal);
filters.hidden = false;
apply();
reveal();
