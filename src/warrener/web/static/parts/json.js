// A value as JSON, however large: its beginning, and all of it for whoever asks.
import { count } from "../format.js";
import { html, useState } from "../html.js";
import { lines, pretty } from "../text.js";

const SHOWN = 8000;

export function Block({ text, label }) {
  const [isWhole, setWhole] = useState(false);
  const isLong = text.length > SHOWN;
  return html`<div class="block">
    <pre tabindex="0" role="region" aria-label=${label}>${lines(isWhole || !isLong ? text : text.slice(0, SHOWN))}</pre>
    ${isLong && !isWhole && html`<button onClick=${() => setWhole(true)}>Show all ${count(text.length)} characters</button>`}
  </div>`;
}

export function Json({ value, label }) {
  return html`<${Block} text=${pretty(value)} label=${label} />`;
}
