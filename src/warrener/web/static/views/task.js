// One task: where it is, what it was given, what each attempt did, and what came of it.
import { act } from "../actions.js";
import { getExactly, queuePath, useAnswer } from "../api.js";
import { age, clock, count, duration } from "../format.js";
import { html, useState } from "../html.js";
import { useKeys } from "../keys.js";
import { Time } from "../parts/ids.js";
import { Block, Json } from "../parts/json.js";
import { Empty, Problem } from "../parts/notes.js";
import { State } from "../parts/state.js";
import { line } from "../text.js";
import { Attempts } from "./attempts.js";
import { Edit } from "./edit.js";
import { doing } from "./workers.js";

// What may become something else is asked for again; soon, once it was retried here, as the server may hear of that later.
const MOVING = { running: 2, delayed: 5, unknown: 15, failed: 15 };
const SOON = 2;
// Seconds in which what a task has printed may still be on its way after it has ended.
const LATE = 10;

function Facts({ task }) {
  const facts = [
    ["Type", task.type && line(task.type)],
    ["Reason", task.failure?.reason],
    ["Origin", task.origin && line(task.origin)],
    ["Priority", task.priority],
    ["Attempts", task.failure?.attempts ?? task.result?.attempts ?? (task.attempts.length || null)],
    ["Worker", line(task.running?.worker ?? task.result?.worker ?? task.failure?.worker ?? "")],
    ["Took", task.result && duration(task.result.duration)],
    ["Ended", (task.result || task.failure) && html`<${Time} at=${task.result?.processed_at ?? task.failure.failed_at} shown=${clock(task.result?.processed_at ?? task.failure.failed_at)} />`],
    ["Has run for", task.running && age(task.running.seconds)],
    ["It says", task.running && doing(task.running)],
  ];
  return html`<dl class="facts">${facts
    .filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== false)
    .map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd class="number">${typeof value === "number" ? count(value) : html`<bdi>${value}</bdi>`}</dd></div>`)}</dl>`;
}

/** What the attempt that completed a task has printed, where that is kept. */
function usePrinted(queue, task) {
  const ended = task?.state === "completed" ? task.result?.processed_at : null;
  const path = ended && queuePath(queue, "output") + `?id=${encodeURIComponent(task.task_id)}`;
  return useAnswer(path, { again: (found) => (!found.is_whole && Date.now() / 1000 < ended + LATE ? SOON : null) });
}

export function Task({ queue, id, me }) {
  const [version, setVersion] = useState(0);
  const [isEdited, setEdited] = useState(false);
  const path = id && queuePath(queue, "tasks") + `?id=${encodeURIComponent(id)}`;
  const { answer, error } = useAnswer(path, { ask: getExactly, version, again: ({ plain }) => (version && plain.state !== "completed" ? SOON : MOVING[plain.state]) });
  const task = answer?.plain;
  const printed = usePrinted(queue, task);
  const exact = answer?.exact;
  const refresh = () => setVersion((old) => old + 1);
  const canAct = me?.can_act && task?.state === "failed";
  const start = (verb) => act({ verb, queue, ids: [id], what: id, after: refresh });
  useKeys({
    retry: canAct ? () => start("retry") : null,
    discard: canAct ? () => start("discard") : null,
    edit: canAct && task.data ? () => setEdited(true) : null,
  });
  if (!id) return html`<section><h1 class="hidden">Task</h1><${Empty}>Type a task's id above, and Enter.</${Empty}></section>`;
  return html`<section class="task">
    <h1 class="id-title"><bdi>${line(id, 300)}</bdi></h1>
    <${Problem}>${error}</${Problem}>
    ${!task && !error && html`<p class="soft">Looking for it among what runs, what failed and the rows. Among a million rows that takes seconds.</p>`}
    ${task && html`
      <p class="line"><${State} name=${task.state}>${task.state}</${State}><span class="soft">${task.searched}</span>
        ${canAct && html`<span class="buttons end"><button class="main" onClick=${() => start("retry")}>Retry…</button>${task.data && html`<button onClick=${() => setEdited(true)}>Edit and retry…</button>`}<button onClick=${() => start("discard")}>Discard…</button></span>`}</p>
      <${Facts} task=${task} />
      ${isEdited && html`<${Edit} queue=${queue} id=${id} data=${exact.data} close=${() => setEdited(false)} then=${refresh} />`}
      <div class="columns">
        <div><${Problem}>${printed.error}</${Problem}><${Attempts} attempts=${task.attempts} printed=${printed.isOld ? null : printed.answer} /></div>
        <div class="side">
          ${exact.data && html`<div><h2>Data</h2><${Json} value=${exact.data} label="Data of the task" /></div>`}
          ${task.failure?.body_base64 && html`<div><h2>Body, which is no JSON, as base64</h2><${Block} text=${task.failure.body_base64} label="Body of the message" /></div>`}
          ${exact.result && html`<div><h2>Result</h2><${Json} value=${exact.result.value} label="Value of the result" /></div>`}
        </div>
      </div>`}
  </section>`;
}
