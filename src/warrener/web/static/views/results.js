// The newest rows, rows found by what is in them, and all of them as a file.
import { getExactly, queuePath, useAnswer } from "../api.js";
import { clock, count, duration } from "../format.js";
import { html, useEffect, useRef, useState } from "../html.js";
import { useKeys } from "../keys.js";
import { Name, TaskLink, Time } from "../parts/ids.js";
import { Empty, Problem } from "../parts/notes.js";
import { go, href } from "../route.js";
import { line, oneLine } from "../text.js";

const PAGE = 50;
const EVERY = 3;
const FILES = ["jsonl", "csv", "parquet"];

function Rows({ queue, plain, exact }) {
  return html`<table class="list">
    <thead><tr><th scope="col">Task</th><th scope="col" class="hide-1">Type</th><th scope="col">Value</th><th scope="col" class="number hide-2">Attempt</th><th scope="col" class="number hide-1">Took</th><th scope="col" class="hide-2">Worker</th><th scope="col" class="number hide-2">Ended</th></tr></thead>
    <tbody>${plain.map((row, at) => html`<tr key=${row.task_id}>
      <td class="w-id"><${TaskLink} queue=${queue} id=${row.task_id} isRow /></td><td class="w-type hide-1"><${Name}>${row.type}</${Name}></td>
      <td class="grow"><code class="name">${oneLine(exact[at].value, 300)}</code></td>
      <td class="w-few number soft hide-2">${count(row.attempts)}</td><td class="w-time number hide-1">${duration(row.duration)}</td>
      <td class="w-type soft hide-2"><${Name}>${row.worker}</${Name}></td>
      <td class="w-clock number soft hide-2"><${Time} at=${row.processed_at} shown=${clock(row.processed_at)} /></td></tr>`)}</tbody>
  </table>`;
}

export function Results({ queue, route, told }) {
  const { text = "", before = "" } = route;
  const [typed, setTyped] = useState(text);
  useEffect(() => setTyped(text), [text]);
  const field = useRef();
  const path = queuePath(queue, "results") + href({ text, before, limit: PAGE }).slice(1);
  // The newest are asked for again while there are new ones; a page that was turned to stays as it is.
  const isOver = told.status?.state === "done" || told.status?.state === "cancelled";
  const { answer, error } = useAnswer(path, { ask: getExactly, version: isOver, again: () => (before || isOver ? null : EVERY) });
  const rows = answer?.plain.rows;
  const older = answer?.plain.next && href({ queue, view: "results", text, before: answer.plain.next });
  useKeys({ search: () => field.current?.focus(), more: older ? () => go(older) : null });
  const submit = (event) => {
    event.preventDefault();
    go(href({ queue, view: "results", text: field.current.value }));
  };
  return html`<section>
    <h1 class="hidden">Results</h1>
    <div class="line"><form onSubmit=${submit} role="search" class="grow-line"><input type="search" ref=${field} value=${typed} onInput=${(event) => setTyped(event.target.value)}
        placeholder="Words in the newest 10,000 rows" aria-label="Search the newest results" spellcheck="false" /><button>Search</button></form>
      <p class="buttons end"><span class="soft">All as</span>${FILES.map((kind) => html`<a class="button" key=${kind} download href=${queuePath(queue, `results.${kind}`)}>${kind === "parquet" ? "Parquet" : kind.toUpperCase()}</a>`)}</p></div>
    <${Problem}>${error}</${Problem}>
    ${!answer && !error && html`<p class="soft">Asking for the newest rows of ${line(queue)}…</p>`}
    ${rows?.length > 0 && html`<${Rows} queue=${queue} plain=${rows} exact=${answer.exact.rows} />`}
    ${rows?.length === 0 && (text ? html`<${Empty}>No row among the newest ${count(answer.plain.looked_through)} has “${line(text)}” in it.</${Empty}>`
      : html`<${Empty} command=${`warrener work app.py --queue ${line(queue)}`}>No task has completed yet. A worker has to run:</${Empty}>`)}
    <p class="buttons">${before && html`<a class="button" href=${href({ queue, view: "results", text })}>Newest</a>`}${older && html`<a class="button" href=${older}>Older</a>`}</p>
  </section>`;
}
