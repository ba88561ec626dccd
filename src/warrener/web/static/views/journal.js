// What was done with the queue, and by whom.
import { queuePath, useAnswer } from "../api.js";
import { clock } from "../format.js";
import { html } from "../html.js";
import { Name, Time } from "../parts/ids.js";

const SHOWN = 8;
const EVERY = 10;

export function Journal({ queue }) {
  const { answer } = useAnswer(queuePath(queue, "journal"), { again: () => EVERY });
  if (!answer?.entries.length) return null;
  return html`<div>
    <h2>Journal</h2>
    <table class="list"><thead class="hidden"><tr><th scope="col">What</th><th scope="col">By</th><th scope="col">At</th></tr></thead>
      <tbody>${answer.entries.slice(0, SHOWN).map((entry) => html`<tr key=${`${entry.at} ${entry.text}`}>
        <td class="grow"><${Name}>${entry.text}</${Name}></td><td class="w-type soft"><${Name}>${entry.by}</${Name}></td>
        <td class="w-clock number soft"><${Time} at=${entry.at} shown=${clock(entry.at)} /></td></tr>`)}</tbody></table>
  </div>`;
}
