// The states, each by a shape of its own beside its colour.
import { html } from "../html.js";

const ROUND = html`<circle cx="6" cy="6" r="4.500" fill="none" stroke="currentColor" stroke-width="1.500" />`;
const SHAPES = {
  completed: html`<circle cx="6" cy="6" r="5" fill="currentColor" />`,
  failed: html`<path d="M2 2 10 10M10 2 2 10" fill="none" stroke="currentColor" stroke-width="2.400" />`,
  running: html`${ROUND}<path d="M6 1.500A4.500 4.500 0 0 1 6 10.500z" fill="currentColor" />`,
  ready: ROUND,
  delayed: html`${ROUND}<path d="M6 3.300V6l2 1.400" fill="none" stroke="currentColor" stroke-width="1.300" />`,
  paused: html`<path d="M3.200 1.500V10.500M8.800 1.500V10.500" fill="none" stroke="currentColor" stroke-width="2.600" />`,
  cancelled: html`${ROUND}<path d="M3 9 9 3" fill="none" stroke="currentColor" stroke-width="1.500" />`,
  unknown: html`<circle cx="6" cy="6" r="4.500" fill="none" stroke="currentColor" stroke-width="1.500" stroke-dasharray="1.500 2" />`,
};
const KINDS = { done: "completed", processing: "running", waiting: "ready", retried: "delayed" };

/** The shape of a state, which says nothing by itself. */
export function Shape({ name }) {
  const kind = KINDS[name] ?? (name in SHAPES ? name : "unknown");
  return html`<svg class="shape is-${kind}" viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">${SHAPES[kind]}</svg>`;
}

/** A state with its name. */
export function State({ name, children }) {
  return html`<span class="state"><${Shape} name=${name} />${children ?? name}</span>`;
}
