// What each attempt did, and when: a line of time to scale, then what it said.
import { clock, count, duration } from "../format.js";
import { html } from "../html.js";
import { Name, Time } from "../parts/ids.js";
import { Block } from "../parts/json.js";
import { State } from "../parts/state.js";
import { line } from "../text.js";

const WIDE = 1000;
const LEAST = 6;

function span(attempts) {
  const timed = attempts.filter((attempt) => attempt.started_at);
  const begin = Math.min(...timed.map((attempt) => attempt.started_at));
  const end = Math.max(...timed.map((attempt) => attempt.started_at + (attempt.duration ?? 0)));
  return { timed, begin, end: Math.max(end, begin + 0.001) };
}

/** Attempts and the waits between them, to scale. */
function Line({ attempts }) {
  const { timed, begin, end } = span(attempts);
  if (!timed.length) return null;
  const place = (at) => ((at - begin) / (end - begin)) * (WIDE - LEAST);
  return html`<svg class="attempt-line" viewBox="0 0 ${WIDE} 16" preserveAspectRatio="none" role="img" aria-label="${count(timed.length)} attempts within ${duration(end - begin)}">
      <path class="is-wait" d="M0 8H${WIDE}" />
      ${timed.map((attempt) => html`<rect class="is-${attempt.outcome}" x=${place(attempt.started_at)} width=${Math.max(LEAST, ((attempt.duration ?? 0) / (end - begin)) * WIDE)} y="2" height="12" />`)}
    </svg>
    <p class="line soft number"><span>${clock(begin)}</span><span class="end">${duration(end - begin)} later</span></p>`;
}

/** What the attempt that completed has printed. */
function Printed({ of, attempt }) {
  if (!of || attempt.outcome !== "completed") return null;
  return html`${of.text && html`<p class="soft">It printed:</p><${Block} text=${of.text} label="Output of attempt ${attempt.number}" />`}
    ${of.note && html`<p class="soft">${line(of.note)}</p>`}`;
}

export function Attempts({ attempts, printed }) {
  if (!attempts.length) return null;
  return html`<div>
    <h2>Attempts</h2>
    <${Line} attempts=${attempts} />
    <ol class="attempts">${attempts.toReversed().map((attempt, at, all) => html`<li key=${`${attempt.started_at} ${attempt.number}`}>
      <p class="line"><b class="number">${count(attempt.number)}</b><${State} name=${attempt.outcome} /><${Time} at=${attempt.started_at} shown=${clock(attempt.started_at)} />
        <span class="number">${duration(attempt.duration)}</span><span class="soft"><${Name}>${attempt.worker}</${Name}></span></p>
      ${attempt.error && html`<p><b>${line(attempt.error, 100)}</b> <bdi>${line(attempt.message, 1100)}</bdi></p>`}
      ${attempt.traceback && (attempt.traceback === all[at - 1]?.traceback
        ? html`<p class="soft">The traceback is the one above.</p>`
        : html`<${Block} text=${attempt.traceback} label="Traceback of attempt ${attempt.number}" />`)}
      ${attempt.output && html`<p class="soft">It printed:</p><${Block} text=${attempt.output} label="Output of attempt ${attempt.number}" />`}
      <${Printed} of=${printed} attempt=${attempt} />
    </li>`)}</ol>
  </div>`;
}
