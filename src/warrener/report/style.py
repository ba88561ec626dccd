"""How the report looks: as the page of `warrener ui`, light or dark as the reader has it."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root { color-scheme: light dark;
  --ground: light-dark(#fcfcfb, #101214); --line: light-dark(#deded9, #2b2f34); --ink: light-dark(#1a1c1e, #e2e4e6);
  --soft: light-dark(#5a5e63, #9ba1a8); --raised: light-dark(#f2f2ef, #191c1f); --accent: light-dark(#0a5cb8, #72b4ff);
  --completed: light-dark(#177245, #4ebe80); --failed: light-dark(#bd2318, #ff8074); }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 90rem; padding: 1rem 1.25rem 2rem; background: var(--ground); color: var(--ink);
  font: 0.875rem/1.5 system-ui, sans-serif; font-variant-numeric: tabular-nums; }
h1 { font-size: 1.25rem; margin: 0; overflow-wrap: anywhere; } h2 { font-size: 1rem; margin: 2rem 0 0.5rem; }
p, dl, dd, pre { margin: 0; }
code, pre, .id { font-family: ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: 0.92em; }
.id { overflow-wrap: anywhere; } .soft { color: var(--soft); } .small { font-size: 0.86em; white-space: nowrap; }
dl.facts { display: flex; flex-wrap: wrap; gap: 0.5rem 2rem; margin: 1rem 0; }
dl.facts dt { color: var(--soft); } dl.facts dd { font-size: 1.125rem; font-weight: 600; }
.failed-text { color: var(--failed); } .completed-text { color: var(--completed); }
svg { display: block; } .timeline { width: 100%; height: 12rem; } .timeline.is-up { height: 9rem; }
.histogram { width: 10rem; height: 1.5rem; }
path.completed { fill: var(--completed); } path.failed { fill: var(--failed); }
path.axis { stroke: var(--soft); stroke-width: 1; vector-effect: non-scaling-stroke; }
.ends { display: flex; justify-content: space-between; }
.wide { overflow-x: auto; } .wide td { white-space: nowrap; }
.wide .id { display: inline-block; max-width: 28rem; overflow-wrap: break-word; white-space: normal; }
.wide:focus-visible, summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
table { border-collapse: collapse; } th, td { text-align: left; vertical-align: top; padding: 0.2rem 1.25rem 0.2rem 0; }
th { font-weight: 400; color: var(--soft); white-space: nowrap; } td { border-top: 1px solid var(--line); }
th.n, td.n { text-align: right; white-space: nowrap; }
details { border-top: 1px solid var(--line); padding: 0.3rem 0; }
summary { cursor: pointer; overflow-wrap: anywhere; } summary strong { color: var(--failed); }
pre { background: var(--raised); padding: 0.5rem 0.75rem; margin: 0.35rem 0; overflow-x: auto; max-height: 24rem; }
footer { margin-top: 2.5rem; padding-top: 0.5rem; border-top: 1px solid var(--line); }
@media print { details { break-inside: avoid; } pre { max-height: none; white-space: pre-wrap; } }
"""
