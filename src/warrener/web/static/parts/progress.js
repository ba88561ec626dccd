// How much of a batch has ended, and how: drawn to scale, as an image whose text says the same.
import { count, percent } from "../format.js";
import { html } from "../html.js";

const WIDE = 1000;
const PARTS = ["completed", "failed", "processing"];

export function Progress({ of: batch, name }) {
  const total = Math.max(batch.total ?? 0, (batch.completed ?? 0) + (batch.failed ?? 0));
  let at = 0;
  const parts = [];
  for (const part of PARTS) {
    // What is there is seen, be it one task of a million.
    const wide = total && batch[part] ? Math.max(3, (batch[part] / total) * WIDE) : 0;
    if (wide) parts.push(html`<rect class="is-${part}" x=${Math.min(at, WIDE - 3)} y="0" width=${Math.min(wide, WIDE - at)} height="8" />`);
    at += wide;
  }
  const now = Math.round(100 * Math.min(1, batch.progress ?? 0));
  return html`<svg class="progress" viewBox="0 0 ${WIDE} 8" preserveAspectRatio="none" role="progressbar"
    aria-label=${name ?? `Progress of ${batch.queue}`} aria-valuemin="0" aria-valuemax="100" aria-valuenow=${now}
    aria-valuetext="${percent(batch.progress)}: ${count(batch.completed)} completed and ${count(batch.failed)} failed of ${count(batch.total)}">
    <rect class="is-left" x="0" y="0" width=${WIDE} height="8" />${parts}
  </svg>`;
}
