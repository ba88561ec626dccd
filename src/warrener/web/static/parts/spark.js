// The last minutes as a line without axes: its shape is the news, the numbers stand beside it.
import { html } from "../html.js";

const WIDE = 120;
const HIGH = 20;

export function Spark({ values }) {
  if (!values?.length) return html`<svg class="spark" viewBox="0 0 ${WIDE} ${HIGH}" aria-hidden="true" />`;
  const most = Math.max(...values, 1);
  const step = WIDE / Math.max(values.length - 1, 1);
  const points = values.map((value, at) => `${(at * step).toFixed(1)},${(HIGH - 1 - (value / most) * (HIGH - 2)).toFixed(1)}`);
  return html`<svg class="spark" viewBox="0 0 ${WIDE} ${HIGH}" preserveAspectRatio="none" aria-hidden="true">
    <polygon points="0,${HIGH} ${points.join(" ")} ${WIDE},${HIGH}" /><polyline points=${points.join(" ")} />
  </svg>`;
}
