// Who works: slots and what is in them, how quickly, with how much memory.
import { age, bytes, count, many, rate } from "../format.js";
import { html, useState } from "../html.js";
import { Name, TaskLink } from "../parts/ids.js";
import { Empty, Notes } from "../parts/notes.js";
import { State } from "../parts/state.js";
import { line } from "../text.js";

const MANY = 30; // workers, and so many more at a time: there may be thousands, and each changes every second
const WIDEST = 24; // slots that are drawn

function used(worker) {
  return worker.running.length + (worker.omitted ?? 0);
}

function Slots({ worker }) {
  const busy = used(worker);
  const wide = Math.min(worker.slots, WIDEST);
  const full = worker.slots ? Math.round((busy / worker.slots) * wide) : 0;
  const from = (first, last, shape) => Array.from({ length: Math.max(0, last - first) }, (_, at) => `M${(first + at) * 4} ${shape}`).join("");
  return html`<span class="slots"><span class="number">${busy}/${worker.slots}</span>
    <svg viewBox="0 0 ${wide * 4} 8" width=${wide * 4} height="8" aria-hidden="true"><path class="is-busy" d=${from(0, full, "0h3v8h-3z")} /><path class="is-free" d=${from(full, wide, "3h3v2h-3z")} /></svg></span>`;
}

export function doing(task) {
  if (task.done === null || task.done === undefined) return "";
  return task.total ? `${Math.floor((100 * task.done) / task.total)} % of ${count(task.total)}` : count(task.done);
}

function Running({ queue, worker }) {
  return html`<tr class="detail"><td colspan="7">
    <table class="list"><thead class="hidden"><tr><th scope="col">Task</th><th scope="col">Type</th><th scope="col">Attempt</th><th scope="col">Progress</th><th scope="col">Since</th></tr></thead><tbody>
      ${worker.running.map((task) => html`<tr key=${task.task_id}>
        <td class="grow"><${TaskLink} queue=${queue} id=${task.task_id} /></td><td class="w-type"><${Name}>${task.type}</${Name}></td>
        <td class="w-few number soft">${task.attempt > 1 ? `attempt ${task.attempt}` : ""}</td><td class="w-time number">${doing(task)}</td><td class="w-time number">${age(task.seconds)}</td></tr>`)}
    </tbody></table>
    ${worker.omitted > 0 && html`<p class="soft">and ${many(worker.omitted, "task")} more</p>`}
    <p class="soft number">${many(worker.completed, "task")} done, ${count(worker.failed)} failed, ${count(worker.delayed)} to be tried again, in ${age(worker.seconds)}; Warrener ${line(worker.version ?? "")}</p>
  </td></tr>`;
}

function Row({ queue, worker, isOpen, toggle }) {
  const state = worker.is_stopping ? "stopping" : worker.is_paused ? "paused" : null;
  const word = state ?? (used(worker) ? "working" : "idle");
  return html`<tr class=${isOpen ? "is-open" : ""}>
      <td class="grow"><button class="plain" data-row aria-expanded=${isOpen} onClick=${toggle}><${Name}>${worker.worker}</${Name}></button></td>
      <td class="w-slots"><${Slots} worker=${worker} /></td>
      <td class="w-rate number">${rate(worker.rate)}</td>
      <td class="w-count number hide-2">${count(worker.completed)}</td>
      <td class="w-count number hide-2 ${worker.failed ? "is-failed" : "soft"}">${count(worker.failed)}</td>
      <td class="w-bytes number hide-0">${bytes(worker.memory)}</td>
      <td class="w-word hide-1">${state ? html`<${State} name=${state === "paused" ? "paused" : "cancelled"}>${word}</${State}>` : html`<span class="soft">${word}</span>`}</td>
    </tr>${isOpen && html`<${Running} queue=${queue} worker=${worker} />`}`;
}

export function Workers({ queue, told, status }) {
  const [open, setOpen] = useState(null);
  const [most, setMost] = useState(MANY);
  if (!told) return html`<div><h2>Workers</h2><p class="soft">Listening: each tells every two seconds what it runs.</p></div>`;
  const workers = told.workers ?? []; // null is what this user may not see
  const slots = workers.reduce((sum, worker) => sum + worker.slots, 0);
  const busy = workers.reduce((sum, worker) => sum + used(worker), 0);
  const isOver = status.state === "done" || status.state === "cancelled";
  return html`<div>
    <h2>Workers ${workers.length > 0 && html`<span class="soft number">${count(workers.length)}, ${count(busy)} of ${many(slots, "slot")} busy</span>`}</h2>
    <${Notes} of=${told.may_not} />
    ${!workers.length && !told.may_not && (isOver
      ? html`<p class="soft">None: all is done.</p>`
      : html`<${Empty} command=${`warrener work app.py --queue ${line(queue)}`}>No worker tells of itself. This starts one:</${Empty}>`)}
    ${workers.length > 0 && html`<table class="list workers">
      <thead><tr><th scope="col">Worker</th><th scope="col">Slots</th><th scope="col" class="number">Per second</th><th scope="col" class="number hide-2">Done</th>
        <th scope="col" class="number hide-2">Failed</th><th scope="col" class="number hide-0">Memory</th><th scope="col" class="hide-1">State</th></tr></thead>
      <tbody>${workers.slice(0, most).map((worker) => {
        const name = `${worker.worker} ${worker.key}`;
        return html`<${Row} key=${name} queue=${queue} worker=${worker} isOpen=${open === name} toggle=${() => setOpen(open === name ? null : name)} />`;
      })}</tbody></table>`}
    ${workers.length > most && html`<button onClick=${() => setMost(most + 100)}>Show ${count(Math.min(100, workers.length - most))} more of ${count(workers.length)}</button>`}
  </div>`;
}
