// Single failures, the newest first.
import { clock, count, duration } from "../format.js";
import { html } from "../html.js";
import { Name, TaskLink, Time } from "../parts/ids.js";
import { line } from "../text.js";

export function FailureRows({ queue, failures }) {
  if (!failures.length) return null;
  return html`<h2>Newest</h2><table class="list">
    <thead><tr><th scope="col">Task</th><th scope="col" class="hide-1">Type</th><th scope="col">Error</th><th scope="col" class="number hide-2">Attempts</th><th scope="col" class="number hide-2">Took</th><th scope="col" class="hide-2">Worker</th><th scope="col" class="number hide-1">Failed at</th></tr></thead>
    <tbody>${failures.map((failure) => html`<tr key=${failure.task_id}>
      <td class="w-id"><${TaskLink} queue=${queue} id=${failure.task_id} isRow /></td>
      <td class="w-type hide-1"><${Name}>${failure.type}</${Name}></td>
      <td class="grow"><span class="name" title=${line(failure.message)}><b>${line(failure.error || failure.reason, 80)}</b> <bdi>${line(failure.message, 200)}</bdi></span></td>
      <td class="w-few number hide-2">${count(failure.attempts)}</td><td class="w-time number hide-2">${duration(failure.duration)}</td>
      <td class="w-type soft hide-2"><${Name}>${failure.worker}</${Name}></td>
      <td class="w-clock number soft hide-1"><${Time} at=${failure.failed_at} shown=${clock(failure.failed_at)} /></td></tr>`)}</tbody>
  </table>`;
}
