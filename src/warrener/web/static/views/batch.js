// One batch: how far it is, how it went since its beginning, which types of task and which workers it has.
import { queuePath } from "../api.js";
import { act } from "../actions.js";
import { clock, count, percent, rate, remaining } from "../format.js";
import { html } from "../html.js";
import { useKeys } from "../keys.js";
import { Empty, Notes, Reading } from "../parts/notes.js";
import { Progress } from "../parts/progress.js";
import { Shape } from "../parts/state.js";
import { Timeline } from "../parts/timeline.js";
import { Time } from "../parts/ids.js";
import { href } from "../route.js";
import { line } from "../text.js";
import { Longest, Slowest } from "./longest.js";
import { Types } from "./types.js";
import { Waiting } from "./waiting.js";
import { Workers } from "./workers.js";

function Counts({ queue, status }) {
  const failed = html`<a href=${href({ queue, view: "failures" })}>failed</a>`;
  const of = [
    ["completed", "completed"],
    ["failed", status.failed ? failed : "failed"],
    ["processing", "processing"],
    ["delayed", "delayed"],
    ["ready", "ready"],
  ];
  if (status.cancelled) of.push(["cancelled", "cancelled"]);
  return html`<dl class="counts">${of.map(
    ([name, word]) => html`<div key=${name}><dt><${Shape} name=${name} />${word}</dt><dd class="number">${count(status[name])}</dd></div>`,
  )}</dl>`;
}

function Head({ queue, status, me }) {
  const isOver = status.state === "done" || status.state === "cancelled";
  return html`<div class="batch-head">
    <p class="far"><b class="number">${percent(status.progress)}</b><span class="soft number">of ${count(status.total)} tasks</span></p>
    <${Progress} of=${status} />
    <${Counts} queue=${queue} status=${status} />
    <dl class="facts">
      <div><dt>Per second</dt><dd class="number">${rate(status.rate)}</dd></div>
      <div class="wide"><dt>${isOver ? "Ended" : "Left"}</dt><dd class="number">${isOver ? status.state : remaining(status.eta)}</dd></div>
      <div><dt>Workers</dt><dd class="number">${count(status.workers)}</dd></div>
      <div><dt>Began</dt><dd><${Time} at=${status.began} shown=${clock(status.began)} /></dd></div>
      ${status.source && html`<div class="wide"><dt>Source</dt><dd><bdi>${line(status.source)}</bdi>${status.by && html`<span class="soft"> by ${line(status.by)}</span>`}</dd></div>`}
    </dl>
    <${Hold} queue=${queue} status=${status} me=${me} />
  </div>`;
}

function Hold({ queue, status, me }) {
  const verb = status.state === "paused" ? "resume" : "pause";
  const isOver = status.state === "done" || status.state === "cancelled";
  const change = me?.can_act && !isOver ? () => act({ verb, path: queuePath(queue, "actions", verb), queue }) : null;
  useKeys({ pause: change });
  return html`<p class="buttons">
    ${change && html`<button onClick=${change}>${verb === "pause" ? "Pause…" : "Resume…"}</button>
      <button onClick=${() => act({ verb: "cancel", path: queuePath(queue, "actions", "cancel"), queue, left: status.ready })}>Cancel…</button>`}
    ${status.hold && html`<span class="note">${line(`${status.hold.what} by ${status.hold.by}`)} at <${Time} at=${status.hold.at} shown=${clock(status.hold.at)} /></span>`}
  </p>`;
}

export function Batch({ queue, told, me }) {
  const { status, workers, history } = told;
  if (!status) {
    return html`<section><h1 class="hidden">Overview</h1>
      ${!told.problem && !told.isCut && html`<p class="soft">Asking the broker about ${line(queue)}…</p>`}</section>`;
  }
  const isFresh = !status.total && !status.completed && !status.failed;
  if (isFresh) {
    return html`<section><h1 class="hidden">Overview</h1><${Notes} of=${[...(status.notes ?? []), ...(status.may_not ?? []), status.error]} />
      <${Empty} command=${`warrener publish tasks.jsonl --queue ${line(queue)}`}>No task has been published to ${line(queue)} yet. This does:</${Empty}></section>`;
  }
  return html`<section class="batch">
    <h1 class="hidden">Overview</h1>
    <${Head} queue=${queue} status=${status} me=${me} />
    <${Notes} of=${[...(status.notes ?? []), ...(status.may_not ?? []), status.error]} />
    <${Reading} of=${history} what="rows" />
    ${history?.timeline?.completed.length > 0 && html`<${Timeline} history=${history} />`}
    <div class="columns">
      <div><${Types} queue=${queue} history=${history} /><${Waiting} status=${status} /></div>
      <div class="side"><${Workers} queue=${queue} told=${workers} status=${status} /></div>
      <div><${Longest} queue=${queue} workers=${workers?.workers} history=${history} /><${Slowest} queue=${queue} history=${history} /></div>
    </div>
  </section>`;
}
