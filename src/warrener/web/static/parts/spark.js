// The last minutes as a line without axes: its shape is the news, the numbers stand beside it.
import { html } from "../html.js";

const WIDE = 120;
const HIGH = 20;
const STEP = WIDE / 149; // of the 150 that there are at most

export function Spark({ values }) {
  if (!values?.length) return html`<svg class="spark" viewBox="0 0 ${WIDE} ${HIGH}" aria-hidden="true" />`;
  const most = Math.max(...values, 1);
  const from = WIDE - (values.length - 1) * STEP; // the newest is at the right end, however few there are yet
  const points = values.map((value, at) => `${(from + at * STEP).toFixed(1)},${(HIGH - 1 - (value / most) * (HIGH - 2)).toFixed(1)}`);
  return html`<svg class="spark" viewBox="0 0 ${WIDE} ${HIGH}" preserveAspectRatio="none" aria-hidden="true">
    <polygon points="${from},${HIGH} ${points.join(" ")} ${WIDE},${HIGH}" /><polyline points=${points.join(" ")} />
  </svg>`;
}
