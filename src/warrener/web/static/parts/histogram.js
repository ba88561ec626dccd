// How long tasks took, as bars over a scale that is the same for all rows of a table, so that rows can be compared at a glance.
// The scale is logarithmic: a task of a millisecond and one of an hour stand on one line.
import { duration, many } from "../format.js";
import { html } from "../html.js";

const WIDE = 200;
const HIGH = 22;
const FINEST = 0.000_1;
const WIDEST = 1.25; // where there are too few to tell

/** The least and the longest time of all these histograms, as whole powers of ten; and how many times its lower bound a bar's upper one is. */
export function scaleOf(types) {
  const bounds = types.flatMap((type) => type.histogram.filter(([, count]) => count).map(([bound]) => bound)).filter(isFinite);
  // Bars that are empty may be left out: the closest two that are there tell how wide one is.
  const sorted = [...new Set(bounds)].toSorted((one, other) => one - other);
  const wide = sorted.slice(1).reduce((least, bound, at) => Math.min(least, bound / sorted[at]), WIDEST);
  const from = Math.floor(Math.log10(Math.max(FINEST, Math.min(...bounds) / 2)));
  const to = Math.ceil(Math.log10(Math.max(FINEST, ...bounds)));
  return isFinite(from) ? { from, to: Math.max(to, from + 1), wide } : { from: -3, to: 1, wide };
}

function place(seconds, { from, to }) {
  const at = (Math.log10(Math.max(seconds, FINEST)) - from) / (to - from);
  return Math.min(WIDE, Math.max(0, at * WIDE));
}

export function Histogram({ type, scale }) {
  const most = Math.max(...type.histogram.map(([, count]) => count), 1);
  const bars = type.histogram.map(([bound, count]) => {
    if (!count) return "";
    const [left, right] = [place((bound ?? Infinity) / scale.wide, scale), place(bound ?? Infinity, scale)];
    const high = Math.max(1.5, (count / most) * (HIGH - 2));
    return `M${left.toFixed(1)} ${HIGH}v${-high.toFixed(1)}h${Math.max(1, right - left - 0.6).toFixed(1)}V${HIGH}`;
  });
  const mark = (seconds, kind) =>
    seconds === null || seconds === undefined ? null : html`<path class=${kind} d="M${place(seconds, scale).toFixed(1)} 0V${HIGH}" />`;
  const says = `${many(type.completed, "task")}: half took less than ${duration(type.p50)}, 95 in 100 less than ${duration(type.p95)}`;
  return html`<svg class="histogram" viewBox="0 0 ${WIDE} ${HIGH}" preserveAspectRatio="none" role="img" aria-label=${says}>
    <path class="bars" d=${bars.join("")} />${mark(type.p50, "is-half")}${mark(type.p95, "is-most")}
  </svg>`;
}

const MARKS = [[0.000_1, "100 µs"], [0.001, "1 ms"], [0.01, "10 ms"], [0.1, "100 ms"], [1, "1 s"], [10, "10 s"], [60, "1 min"], [600, "10 min"], [3600, "1 h"], [36_000, "10 h"], [360_000, "100 h"]];
const APART = 70; // so far apart two of them can be read

/** What stands over the column, so that no row needs an axis. */
export function Scale({ scale }) {
  const marks = MARKS.filter(([seconds]) => seconds >= 10 ** scale.from && seconds <= 10 ** scale.to);
  let last = -APART;
  const apart = marks.filter(([seconds]) => place(seconds, scale) - last >= APART && ((last = place(seconds, scale)), true));
  return html`<span class="scale">${apart.map(([seconds, word]) => {
    const left = (place(seconds, scale) / WIDE) * 100;
    return html`<span style=${{ left: `${left}%` }} class=${left > 90 ? "is-last" : left < 10 ? "is-first" : ""}>${word}</span>`;
  })}</span>`;
}
