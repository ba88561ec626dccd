// What waits, by priority and by route, where the broker tells.
import { count } from "../format.js";
import { html } from "../html.js";
import { Name } from "../parts/ids.js";

function Table({ name, rows }) {
  if (!rows?.length) return null;
  const most = Math.max(...rows.map((row) => row.ready ?? 0), 1);
  return html`<div>
    <h2>Ready by ${name}</h2>
    <table class="list"><thead class="hidden"><tr><th scope="col">${name}</th><th scope="col">Ready</th><th scope="col">Share</th></tr></thead>
      <tbody>${rows.map((row) => html`<tr key=${row.name}>
        <td class="w-id"><${Name}>${row.name}</${Name}></td><td class="w-count number">${count(row.ready)}</td>
        <td class="grow"><svg class="share" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect width=${((row.ready ?? 0) / most) * 100} height="8" /></svg></td>
      </tr>`)}</tbody></table>
  </div>`;
}

export function Waiting({ status }) {
  return html`<${Table} name="priority" rows=${status.priorities} /><${Table} name="route" rows=${status.routes} />`;
}
