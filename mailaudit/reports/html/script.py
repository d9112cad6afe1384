"""What the page does by itself: the filter, links into what is hidden, and print."""

SCRIPT = """
"use strict";
(() => {
  const form = document.getElementById("filter");
  const items = [...document.querySelectorAll("[data-verdict]")];
  const chosen = (name) => new Set([...form.querySelectorAll(`[name=${name}]:checked`)].map((box) => box.value));
  const filter = () => {
    const severities = chosen("severity"), verdicts = chosen("verdict"), subject = form.elements.subject.value;
    let shown = 0;
    for (const item of items) {
      const told = item.dataset;
      item.hidden = !(severities.has(told.severity) && verdicts.has(told.verdict) && (!subject || subject === told.subject));
      shown += !item.hidden;
    }
    form.toggleAttribute("data-narrow", shown < items.length);
    document.getElementById("shown").value = `${shown} of ${items.length} shown`;
  };
  const reveal = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (!target) return;
    if (form && target.closest("[hidden]")) { form.reset(); filter(); }
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    target.scrollIntoView();
  };
  if (form) {
    form.hidden = false;
    form.addEventListener("input", filter);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(filter));
    filter();
  }
  addEventListener("hashchange", reveal);
  reveal();
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const each of folded) each.open = true;
  });
  addEventListener("afterprint", () => { for (const each of folded) each.open = false; });
})();
"""
