// What is in the way, how far counting is, and what to do where there is nothing to see.
import { count, percent } from "../format.js";
import { html } from "../html.js";
import { line } from "../text.js";

/** A sentence on what is wrong. */
export function Problem({ children }) {
  return children && html`<p class="problem" role="alert">${children}</p>`;
}

/** Sentences that are good to know. */
export function Notes({ of: sentences }) {
  return [sentences ?? []].flat().filter(Boolean).map((sentence) => html`<p class="note" key=${sentence}>${line(sentence, 2000)}</p>`);
}

/** How much has been read of what there is; nothing once all has been. */
export function Reading({ of: found, what }) {
  if (!found || found.is_complete) return null;
  const part = found.expected ? Math.min(found.read / found.expected, 0.999) : null;
  return html`<p class="reading" role="status">
    <progress max="1" value=${part ?? 0} aria-label="Read of the ${what}"></progress>
    <span>${count(found.read)} of ${count(found.expected)} ${what} read${part === null ? "" : ` (${percent(part)})`}; what is shown is of these.</span>
  </p>`;
}

/** Nothing to see, and the command that changes it. */
export function Empty({ children, command }) {
  return html`<div class="empty"><p>${children}</p>${command && html`<pre tabindex="0" role="region" aria-label="Command to type">${command}</pre>`}</div>`;
}
