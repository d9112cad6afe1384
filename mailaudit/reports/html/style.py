"""What the page looks like: on a telephone, on a desk, in the dark and on paper."""

STYLE = """
:root {
  color-scheme: light dark;
  --ink: #1c2126; --soft: #566069; --line: #d3d8dc; --paper: #fff; --sunk: #f4f6f7; --told: #ffedb0; --link: #14518f;
  --critical: #8f1020; --high: #a83a08; --medium: #7d5a00; --low: #1c5a92; --info: #56616b; --untold: #5d3f97; --fine: #1d6a3c;
  --added: #e3f3e6; --removed: #fbe7e5;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --ink: #e3e6e8; --soft: #a3adb5; --line: #3a4148; --paper: #14171a; --sunk: #1d2125; --told: #594a14; --link: #8fc1f5;
    --critical: #ff9a96; --high: #ffab78; --medium: #e6c568; --low: #8fc6f4; --info: #b0bac3; --untold: #c9b4f5;
      --fine: #8ad3a2;
    --added: #17301f; --removed: #3b1f1f;
  }
}
* { box-sizing: border-box; }
html { font: 100%/1.5 system-ui, -apple-system, "Segoe UI", "Liberation Sans", "DejaVu Sans", sans-serif;
  scroll-padding-top: 1rem; }
body { margin: 0 auto; padding: 1.5rem .9rem 3rem; max-width: 62rem; color: var(--ink); background: var(--paper);
  overflow-wrap: anywhere; }
h1 { margin: 0 0 .4rem; font-size: 1.6rem; font-weight: 600; letter-spacing: -.01em; line-height: 1.2; }
h2 { margin: 2.5rem 0 .3rem; padding-top: 1.2rem; border-top: 2px solid var(--ink); font-size: 1.35rem; font-weight: 600;
  line-height: 1.25; }
h3 { margin: 2.2rem 0 .8rem; padding-bottom: .25rem; border-bottom: 1px solid var(--line); font-size: 1.05rem;
  font-weight: 600; }
h4 { margin: 0; font-size: 1rem; font-weight: 600; }
h5 { margin: .7rem 0 0; font-size: .9rem; font-weight: 600; }
p { margin: .3rem 0; max-width: 46rem; }
a { color: var(--link); text-underline-offset: .15em; }
ul, ol { margin: .3rem 0; padding: 0; list-style: none; }
:target { outline: 2px solid var(--link); outline-offset: .3rem; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
code, pre, .rule, .digest {
  font-family: ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", "DejaVu Sans Mono", monospace; }
code { font-size: .88em; }
pre { margin: .3rem 0 .6rem; padding: .45rem .6rem; background: var(--sunk); border: 1px solid var(--line); border-radius: 3px;
  font-size: .84rem; line-height: 1.45; white-space: pre-wrap; tab-size: 8; }
pre code { font-size: 1em; }
table { width: 100%; border-collapse: collapse; table-layout: fixed; font-size: .85rem; }
td p, th p { margin: 0; }
th, td { padding: .35rem .5rem .35rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top;
  font-weight: 400; }
thead th { color: var(--soft); overflow-wrap: normal; }
summary { cursor: pointer; }
summary, details.page > summary { margin: .3rem 0; }
figure { margin: .5rem 0; }
.soft { color: var(--soft); font-size: .9rem; }
.ending { font-size: 1.05rem; font-weight: 600; }
.standing { max-width: none; font-size: 1.05rem; }
.errors { margin: 1rem 0; padding: .1rem .9rem .6rem; border-left: 3px solid var(--critical); }
.errors h2 { margin: .4rem 0; padding: 0; border: 0; font-size: 1.05rem; }
.facts { display: grid; grid-template-columns: auto 1fr; gap: .1rem 1rem; margin: .7rem 0; font-size: .9rem; }
dt { color: var(--soft); } dd { margin: 0; }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; font-size: .9rem; }
.defined { position: absolute; width: 0; height: 0; }
.mark { width: .95em; height: .95em; vertical-align: -.1em; }
.verdict { font-weight: 600; white-space: nowrap; }
.c-critical { color: var(--critical); } .c-high { color: var(--high); } .c-medium { color: var(--medium); }
.c-low { color: var(--low); } .c-info { color: var(--info); } .c-untold { color: var(--untold); }
.c-waived, .c-partly, .c-unasked, .c-nothing { color: var(--soft); } .c-fine { color: var(--fine); }

.way-and-hops { display: grid; gap: 1rem; }
.picture { margin: 0 auto; width: 100%; max-width: 27rem; }
.flow { display: block; width: 100%; height: auto; }
.flow text { fill: var(--ink); font-size: 12px; }
.flow .small, .sample .small, .axis .small { font-size: 11px; fill: var(--soft); }
.flow .name { font-size: 13px; font-weight: 600; }
.flow .word { fill: currentColor; }
.flow .host { fill: var(--sunk); stroke: var(--line); }
.node .box { fill: var(--paper); stroke: currentColor; stroke-width: 1.4; }
.node:hover .box, .node:focus-visible .box { stroke-width: 3; }
.way { fill: none; stroke: var(--soft); stroke-width: 1.6; }
.submission { stroke-dasharray: 7 4; }
.reading { stroke-dasharray: 1.6 3.4; stroke-width: 2.4; }
.asking { stroke-width: .8; stroke-dasharray: 2 3; }
marker path { fill: var(--soft); }
.number { fill: var(--paper); stroke: var(--soft); }
.sample .number { fill: var(--paper); }
.ways li { display: grid; grid-template-columns: 48px 1fr; gap: .6rem; margin: .35rem 0; font-size: .9rem; }
.sample { margin-top: .15rem; }
.hops li { padding: .4rem .2rem; border-bottom: 1px solid var(--line); }
.hops p { margin: 0; }

form { margin: 0 0 1rem; padding: .5rem .8rem .6rem; background: var(--sunk); border: 1px solid var(--line);
  border-radius: 3px; font-size: .9rem; }
form p { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem .8rem; }
fieldset { display: flex; flex-wrap: wrap; gap: 0 1rem; margin: 0; padding: 0; border: 0; }
legend { float: left; width: 100%; padding: .2rem 0 0; color: var(--soft); }
fieldset label { padding: .2rem 0; white-space: nowrap; }
form p label { color: var(--soft); }
select, button { padding: .25rem .6rem; font: inherit; color: var(--ink); background: var(--paper);
  border: 1px solid var(--soft); border-radius: 3px; }
[hidden] { display: none !important; }

.finding { padding: 1.1rem 0 .9rem; border-top: 1px solid var(--line); }
h3 + .finding, form + .finding { border-top: 0; padding-top: .3rem; }
.margin { display: flex; flex-wrap: wrap; gap: 0 1rem; font-size: .9rem; }
.margin p { margin: 0; }
.rule { font-size: .92em; }
h4 { color: var(--soft); font-size: .95rem; } h4 .rule { color: var(--ink); }
.message { font-size: 1.05rem; }
.asked { margin: .4rem 0; } .asked dd { margin: 0 0 .3rem 1rem; }
.source figcaption { font-size: .9rem; color: var(--soft); } .source figcaption code { color: var(--ink); }
.line { display: block; }
.source .line { padding-left: 3.4em; text-indent: -3.4em; }
.no { display: inline-block; width: 3.4em; padding-right: .9em; text-indent: 0; text-align: right; color: var(--soft);
  user-select: none; }
mark { color: inherit; background: var(--told); border-bottom: 2px solid var(--medium); }
mark.here { border-left: 2px solid var(--medium); }
.added { background: var(--added); } .removed { background: var(--removed); } .hunk, .diff .file { color: var(--soft); }
.page { margin: .5rem 0; } .page > div { margin: .3rem 0; }
.page h5, .page h5 + p { display: inline; }
.fix { margin-top: .5rem; }
.rows li { padding: .15rem 0 .15rem 1rem; text-indent: -1rem; font-size: .93rem; }
.files li { padding: .35rem 0; border-bottom: 1px solid var(--line); }
.files li li { padding: .1rem 0 .1rem 1rem; border: 0; font-size: .9rem; }
.files .verdict { white-space: normal; }
.files p { margin: 0; max-width: none; } .digest { font-size: .72rem; }
.lifetimes li { padding: .4rem 0; } .lifetimes p { margin: 0; max-width: none; }
.axis, .life { display: block; width: 100%; overflow: visible; }
svg.life { height: 16px; } .axis { height: 32px; }
.bar { fill: currentColor; }
.tick { stroke: var(--line); } .now { stroke: var(--ink); stroke-width: 1.5; }
text.now { stroke: none; fill: var(--ink) !important; }
footer { margin-top: 3rem; padding-top: .8rem; border-top: 1px solid var(--line); font-size: .9rem; color: var(--soft); }

@media (min-width: 40rem) { legend { width: 5rem; padding: .2rem 0; } }
@media (min-width: 52rem) {
  body { padding: 2.5rem 2rem 4rem; }
  .way-and-hops { grid-template-columns: 24rem 1fr; gap: 2rem; align-items: start; }
  .picture { margin: 0; }
  .finding { display: grid; grid-template-columns: 8.5rem 1fr; gap: 1.2rem; }
  .margin { display: block; line-height: 1.6; }
  .facts { grid-template-columns: auto 1fr auto 1fr; }
}
@media print {
  @page { margin: 16mm 15mm; }
  html { font-size: 9.5pt; }
  body { max-width: none; padding: 0; }
  a { color: inherit; text-decoration: none; }
  nav, button { display: none; }
  summary { list-style: none; }
  .facts { grid-template-columns: auto 1fr auto 1fr; }
  .hops li { padding: .2rem 0; } .hops .soft, .ways li { font-size: .8rem; }
  form { padding: 0; border: 0; background: none; } form > :not(:last-child), form:not([data-narrow]) { display: none; }
  h2, h3, h4, h5, figcaption, summary { break-after: avoid; }
  .of-host + .of-host { break-before: page; }
  figure, .hops li, .lifetimes li, .files li, tr { break-inside: avoid; }
  .way-and-hops { display: block; }
  .picture { display: grid; grid-template-columns: 80mm 1fr; gap: 8mm; align-items: center; max-width: none; }
  .hops { columns: 2; column-gap: 8mm; }
  .finding { display: grid; grid-template-columns: 26mm 1fr; gap: 4mm; }
  .margin { display: block; }
  pre, mark, .added, .removed, .host, .bar { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  details::details-content { content-visibility: visible; block-size: auto; }
}
"""
