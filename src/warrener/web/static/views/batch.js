// One batch: how far it is, how it went since its beginning, which types of task and which workers it has.
import { queuePath } from "../api.js";
import { act } from "../actions.js";
import { clock, count, duration, percent, rate, remaining } from "../format.js";
import { html } from "../html.js";
import { useKeys } from "../keys.js";
import { Empty, Notes, Reading } from "../parts/notes.js";
import { Progress } from "../parts/progress.js";
import { Shape } from "../parts/state.js";
import { Timeline } from "../parts/timeline.js";
import { Time } from "../parts/ids.js";
import { href } from "../route.js";
import { line } from "../text.js";
import { Journal } from "./journal.js";
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

/** How quickly it goes, or went, and until when. */
function Pace({ status, history, isOver }) {
  const took = isOver && history?.is_complete ? history.end - history.begin : null;
  if (took === null || !history.end) {
    return html`<div><dt>Per second</dt><dd class="number">${rate(isOver ? null : status.rate)}</dd></div>
      <div class="wide"><dt>${isOver ? "Ended" : "Left"}</dt><dd class="number">${isOver ? status.state : remaining(status.eta)}</dd></div>`;
  }
  return html`<div><dt>Per second</dt><dd class="number">${rate(took > 0 ? (status.completed + status.failed) / took : null)}</dd></div>
    <div class="wide"><dt>Ended</dt><dd class="number"><${Time} at=${history.end} shown=${clock(history.end)} />, after ${duration(took)}</dd></div>`;
}

function Head({ queue, status, history, me, isOver }) {
  return html`<div class="batch-head">
    <div class="line"><p class="far"><b class="number">${percent(status.progress)}</b><span class="soft number">of ${count(status.total)} tasks</span></p>
      <${Hold} queue=${queue} status=${status} me=${me} isOver=${isOver} /></div>
    <${Progress} of=${status} />
    <${Counts} queue=${queue} status=${status} />
    <dl class="facts">
      <${Pace} status=${status} history=${history} isOver=${isOver} />
      <div><dt>Workers</dt><dd class="number">${count(status.workers)}</dd></div>
      <div><dt>Began</dt><dd><${Time} at=${status.began} shown=${clock(status.began)} /></dd></div>
      ${status.source && html`<div class="wide"><dt>Source</dt><dd><bdi>${line(status.source)}</bdi>${status.by && html`<span class="soft"> by ${line(status.by)}</span>`}</dd></div>`}
    </dl>
  </div>`;
}

function Hold({ queue, status, me, isOver }) {
  const verb = status.state === "paused" ? "resume" : "pause";
  const change = me?.can_act && !isOver ? () => act({ verb, path: queuePath(queue, "actions", verb), queue }) : null;
  useKeys({ pause: change });
  return html`<p class="buttons end">
    ${status.hold && html`<span class="soft">${line(`${status.hold.what} by ${status.hold.by}`)} at <${Time} at=${status.hold.at} shown=${clock(status.hold.at)} /></span>`}
    ${change && html`<button onClick=${change}>${verb === "pause" ? "Pause…" : "Resume…"}</button>
      <button onClick=${() => act({ verb: "cancel", path: queuePath(queue, "actions", "cancel"), queue, left: status.ready })}>Cancel…</button>`}
  </p>`;
}

export function Batch({ queue, told, me }) {
  const { status, workers, history, priorities } = told;
  if (!status) {
    return html`<section><h1 class="hidden">Overview</h1>
      ${told.isMissing ? html`<${Empty} command=${`warrener publish tasks.jsonl --queue ${line(queue)}`}>It may be among <a href=${href({ view: "batches" })}>the batches</a> by another name. This makes it:</${Empty}>`
        : !told.problem && !told.isCut && html`<p class="soft">Asking the broker about ${line(queue)}…</p>`}</section>`;
  }
  const isOver = status.state === "done" || status.state === "cancelled";
  const isEmpty = !status.total && !status.completed && !status.failed;
  if (isEmpty) {
    return html`<section><h1 class="hidden">Overview</h1><${Notes} of=${[...(status.notes ?? []), ...(status.may_not ?? []), status.error]} />
      <${Empty} command=${`warrener publish tasks.jsonl --queue ${line(queue)}`}>No task is on ${line(queue)}${status.began ? "" : " yet"}. This publishes some:</${Empty}>
      ${status.began && html`<${Journal} queue=${queue} />`}</section>`;
  }
  return html`<section class="batch">
    <h1 class="hidden">Overview</h1>
    <${Head} queue=${queue} status=${status} history=${history} me=${me} isOver=${isOver} />
    <${Notes} of=${[...(status.notes ?? []), ...(status.may_not ?? []), status.error]} />
    <${Reading} of=${history} what="rows" />
    ${history?.timeline?.completed.length > 0 && html`<${Timeline} history=${history} status=${status} isOver=${isOver} />`}
    <div class="columns">
      <div><${Types} queue=${queue} history=${history} /><${Waiting} priorities=${priorities} status=${status} /></div>
      <div class="side"><${Workers} queue=${queue} told=${workers} status=${status} /><${Journal} queue=${queue} /></div>
      <div><${Longest} queue=${queue} workers=${workers?.workers} history=${history} /><${Slowest} queue=${queue} history=${history} /></div>
    </div>
  </section>`;
}
