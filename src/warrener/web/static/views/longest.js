// What runs longest just now, and what took longest: where the end of a batch hangs.
import { age, clock, count, duration } from "../format.js";
import { html } from "../html.js";
import { Name, TaskLink, Time } from "../parts/ids.js";
import { doing } from "./workers.js";

const SHOWN = 10;
const SOON = 2; // seconds, before which a task is no straggler, and only comes and goes
const LATE = 3; // times what 95 of 100 tasks of a type need

/** What runs longest, with what its type usually needs. */
export function stragglers(workers, types) {
  const usual = new Map((types ?? []).map((type) => [type.type, type.p95]));
  return (workers ?? [])
    .flatMap((worker) => worker.running.filter((task) => task.seconds >= SOON).map((task) => ({ ...task, worker: worker.worker, usual: usual.get(task.type) })))
    .map((task) => ({ ...task, times: task.usual ? task.seconds / task.usual : null }))
    .toSorted((one, other) => other.seconds - one.seconds)
    .slice(0, SHOWN);
}

export function Longest({ queue, workers, history }) {
  const tasks = stragglers(workers, history?.types);
  if (!tasks.length) return null;
  return html`<div>
    <h2>Running longest</h2>
    <table class="list">
      <thead><tr><th scope="col">Task</th><th scope="col">Type</th><th scope="col" class="hide-1">Worker</th><th scope="col" class="number hide-1">Progress</th><th scope="col" class="number">Runs for</th><th scope="col" class="number" title="So many times what 95 of 100 tasks of its type took">× p95</th></tr></thead>
      <tbody>${tasks.map((task) => html`<tr key=${task.task_id}>
        <td class="grow"><${TaskLink} queue=${queue} id=${task.task_id} isRow /></td><td class="w-type"><${Name}>${task.type}</${Name}></td>
        <td class="w-type soft hide-1"><${Name}>${task.worker}</${Name}></td><td class="w-time number hide-1">${doing(task)}</td><td class="w-time number">${age(task.seconds)}</td>
        <td class="w-few number ${task.times > LATE ? "is-late" : "soft"}">${task.times >= 1 ? count(Math.round(task.times)) : ""}</td>
      </tr>`)}</tbody>
    </table>
  </div>`;
}

export function Slowest({ queue, history }) {
  if (!history?.slowest?.length) return null;
  return html`<div>
    <h2>Took longest</h2>
    <table class="list">
      <thead><tr><th scope="col">Task</th><th scope="col">Type</th><th scope="col" class="hide-1">Worker</th><th scope="col" class="number hide-1">Ended</th><th scope="col" class="number">Took</th></tr></thead>
      <tbody>${history.slowest.slice(0, SHOWN).map((task) => html`<tr key=${task.task_id}>
        <td class="grow"><${TaskLink} queue=${queue} id=${task.task_id} isRow /></td><td class="w-type"><${Name}>${task.type}</${Name}></td>
        <td class="w-type soft hide-1"><${Name}>${task.worker}</${Name}></td><td class="w-clock number soft hide-1"><${Time} at=${task.ended_at} shown=${clock(task.ended_at)} /></td>
        <td class="w-time number">${duration(task.seconds)}</td></tr>`)}</tbody>
    </table>
  </div>`;
}
