// What is ready, by priority, where the broker tells and there is more than one.
import { count } from "../format.js";
import { html } from "../html.js";

export function Waiting({ priorities, status }) {
  if (!status.ready || !(priorities?.length > 1)) return null;
  const most = Math.max(...priorities.map((row) => row.ready), 1);
  return html`<div>
    <h2>Ready by priority</h2>
    <table class="list waiting"><thead class="hidden"><tr><th scope="col">Priority</th><th scope="col">Ready</th><th scope="col">Share</th></tr></thead>
      <tbody>${priorities.map(({ priority, ready }) => html`<tr key=${priority}>
        <td class="number">${priority}</td><td class="w-count number">${count(ready)}</td>
        <td class="grow"><svg class="share" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect width=${(ready / most) * 100} height="8" /></svg></td>
      </tr>`)}</tbody></table>
  </div>`;
}
