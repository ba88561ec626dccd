// All batches of the broker.
import { useAnswer } from "../api.js";
import { count, left, percent, rate } from "../format.js";
import { html, useMemo, useRef, useState } from "../html.js";
import { useKeys } from "../keys.js";
import { Name } from "../parts/ids.js";
import { Empty, Notes, Problem } from "../parts/notes.js";
import { Progress } from "../parts/progress.js";
import { Spark } from "../parts/spark.js";
import { State } from "../parts/state.js";
import { go, href } from "../route.js";
import { line } from "../text.js";

const EVERY = 2;
const FEW = 5; // of so many nobody needs to search

function Row({ batch }) {
  return html`<tr>
    <td class="grow"><a class="strong" data-row href=${href({ queue: batch.queue })}><bdi>${line(batch.queue)}</bdi></a>
      ${batch.source && html`<span class="soft source"><${Name}>${batch.source}</${Name}></span>`}
      ${batch.error && html`<span class="soft source">${line(batch.error)}</span>`}</td>
    <td class="w-state"><${State} name=${batch.state}><span class="word">${batch.state}</span></${State}></td>
    <td class="w-bar"><span class="with-bar"><span class="number">${percent(batch.progress)}</span><${Progress} of=${batch} /></span></td>
    <td class="w-count number hide-1">${count(batch.completed)}</td>
    <td class="w-count number ${batch.failed ? "is-failed" : "soft"}">${count(batch.failed)}</td>
    <td class="w-count number soft hide-2">${count(batch.total)}</td>
    <td class="w-rate number hide-1">${rate(batch.rate)}</td>
    <td class="w-spark hide-2"><${Spark} values=${batch.recent} /></td>
    <td class="w-few number hide-2">${count(batch.workers)}</td>
    <td class="w-eta number hide-2">${batch.state === "running" ? left(batch.eta) : ""}</td>
  </tr>`;
}

export function Batches({ me, text = "" }) {
  const { answer, error } = useAnswer("/api/queues", { again: () => EVERY });
  const [looked, setLooked] = useState(text);
  const field = useRef();
  useKeys({ search: () => field.current?.focus() });
  const shown = useMemo(
    () => (answer?.queues ?? []).filter((batch) => `${batch.queue} ${batch.source ?? ""} ${batch.state}`.toLowerCase().includes(looked.toLowerCase())),
    [answer, looked],
  );
  const search = (event) => {
    setLooked(event.target.value);
    go(href({ view: "batches", text: event.target.value }), { replace: true });
  };
  return html`<section>
    <div class="line">
      <h1>Batches</h1><span class="soft number">${answer && count(answer.queues.length)}</span>
      ${answer?.queues.length > FEW && html`<input type="search" class="end" ref=${field} value=${looked} onInput=${search}
        placeholder="Name, source or state" aria-label="Search batches" />`}
    </div>
    <${Problem}>${error}</${Problem}>
    <${Notes} of=${answer?.note} />
    ${!answer && !error && html`<p class="soft">Asking ${me?.broker ?? "the broker"} for its queues…</p>`}
    ${answer?.queues.length === 0 && html`<${Empty} command=${answer.command}>No batch is on ${me?.broker ?? "this broker"} yet. This makes one:</${Empty}>`}
    ${answer?.queues.length > 0 && shown.length === 0 && html`<${Empty}>No batch fits “${line(looked)}”.</${Empty}>`}
    ${shown.length > 0 && html`<table class="list batches">
      <thead><tr>
        <th scope="col">Batch</th><th scope="col">State</th><th scope="col">Progress</th><th scope="col" class="number hide-1">Done</th>
        <th scope="col" class="number">Failed</th><th scope="col" class="number hide-2">Tasks</th><th scope="col" class="number hide-1">Per second</th>
        <th scope="col" class="hide-2">Last minutes</th><th scope="col" class="number hide-2">Workers</th><th scope="col" class="number hide-2">Left</th>
      </tr></thead>
      <tbody>${shown.map((batch) => html`<${Row} key=${batch.queue} batch=${batch} />`)}</tbody>
    </table>`}
  </section>`;
}
