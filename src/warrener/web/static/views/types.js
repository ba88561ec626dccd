// Each type of task: how many, and how long they took, as numbers and as a shape.
import { count, duration } from "../format.js";
import { html } from "../html.js";
import { Name } from "../parts/ids.js";
import { Histogram, Scale, scaleOf } from "../parts/histogram.js";
import { href } from "../route.js";
import { line } from "../text.js";

export function Types({ queue, history }) {
  if (!history?.types?.length) return null;
  const scale = scaleOf(history.types);
  return html`<div>
    <h2>Types</h2>
    <table class="list types">
      <thead><tr>
        <th scope="col">Type</th><th scope="col" class="number">Done</th><th scope="col" class="number">Failed</th>
        <th scope="col" class="number hide-2">Retries</th><th scope="col" class="number hide-0">p50</th><th scope="col" class="number">p95</th>
        <th scope="col" class="number hide-1">p99</th><th scope="col" class="number hide-2">Longest</th>
        <th scope="col" class="w-histogram hide-1"><${Scale} scale=${scale} /><span class="hidden">Time a task took</span></th>
      </tr></thead>
      <tbody>${history.types.map((type) => html`<tr key=${type.type}>
        <td class="grow"><${Name}>${type.type}</${Name}></td>
        <td class="w-count number">${count(type.completed)}</td>
        <td class="w-count number">${type.failed ? html`<a class="is-failed" href=${href({ queue, view: "failures", type: type.type })} aria-label="${count(type.failed)} failed of type ${line(type.type, 80)}">${count(type.failed)}</a>` : "0"}</td>
        <td class="w-count number soft hide-2">${count(type.retries)}</td>
        <td class="w-time number hide-0">${duration(type.p50)}</td><td class="w-time number">${duration(type.p95)}</td>
        <td class="w-time number hide-1">${duration(type.p99)}</td><td class="w-time number soft hide-2">${duration(type.max)}</td>
        <td class="w-histogram hide-1"><${Histogram} type=${type} scale=${scale} /></td>
      </tr>`)}</tbody>
    </table>
  </div>`;
}
