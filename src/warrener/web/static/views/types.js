// Each type of task: how many, and how long they took, as numbers and as a shape.
import { brief, count } from "../format.js";
import { html, useState } from "../html.js";
import { Name } from "../parts/ids.js";
import { Histogram, Scale, scaleOf } from "../parts/histogram.js";
import { href } from "../route.js";
import { line } from "../text.js";

const SHOWN = 12;

export function Types({ queue, history }) {
  const [isWhole, setWhole] = useState(false);
  const all = history?.types;
  if (!all?.length) return null;
  // Of many those on which most time was spent, in the order of their names, so that rows stay where they are.
  const shown = isWhole || all.length <= SHOWN ? all : longest(all);
  const scale = scaleOf(all);
  return html`<div>
    <h2>Types ${all.length > SHOWN && html`<span class="soft number">${count(all.length)}${!isWhole && `, the ${SHOWN} that took most time`}</span>`}</h2>
    <table class="list types">
      <thead><tr>
        <th scope="col">Type</th><th scope="col" class="number">Done</th><th scope="col" class="number">Failed</th>
        <th scope="col" class="number hide-2">Retries</th><th scope="col" class="number hide-0">p50</th><th scope="col" class="number">p95</th>
        <th scope="col" class="number hide-1">p99</th><th scope="col" class="number hide-2">Longest</th>
        <th scope="col" class="w-histogram hide-1"><${Scale} scale=${scale} /><span class="hidden">Time a task took</span></th>
      </tr></thead>
      <tbody>${shown.map((type) => html`<tr key=${type.type}>
        <td class="grow"><${Name}>${type.type}</${Name}></td>
        <td class="w-count number">${count(type.completed)}</td>
        <td class="w-count number">${type.failed ? html`<a class="is-failed" href=${href({ queue, view: "failures", type: type.type })} aria-label="${count(type.failed)} failed of type ${line(type.type, 80)}">${count(type.failed)}</a>` : count(history.is_complete ? 0 : null)}</td>
        <td class="w-count number soft hide-2">${count(type.retries)}</td>
        <td class="w-time number hide-0">${brief(type.p50)}</td><td class="w-time number">${brief(type.p95)}</td>
        <td class="w-time number hide-1">${brief(type.p99)}</td><td class="w-time number soft hide-2">${brief(type.max)}</td>
        <td class="w-histogram hide-1"><${Histogram} type=${type} scale=${scale} /></td>
      </tr>`)}</tbody>
    </table>
    ${shown.length < all.length && html`<button onClick=${() => setWhole(true)}>Show all ${count(all.length)} types</button>`}
  </div>`;
}

function longest(types) {
  const first = new Set(types.toSorted((one, other) => other.seconds - one.seconds || other.failed - one.failed).slice(0, SHOWN));
  return types.filter((type) => first.has(type));
}
