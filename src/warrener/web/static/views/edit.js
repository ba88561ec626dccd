// Change a failed task's data and try it again. What is typed goes to the server as it was typed, each digit of it.
import { IS_EXACT, post, queuePath } from "../api.js";
import { html, useLayoutEffect, useRef, useState } from "../html.js";
import { Notes, Problem } from "../parts/notes.js";
import { pretty } from "../text.js";

function complaint(text) {
  try {
    const value = JSON.parse(text);
    return value && typeof value === "object" && !Array.isArray(value) ? null : "Data is a JSON object: { … }.";
  } catch (error) {
    return `This is no JSON: ${error.message}`;
  }
}

export function Edit({ queue, id, data, close, then }) {
  const [text, setText] = useState(() => pretty(data));
  const [error, setError] = useState(null);
  const [done, setDone] = useState(null);
  const dialog = useRef();
  useLayoutEffect(() => dialog.current.showModal(), []); // at once: what is typed after the key that opened it is meant for it
  const wrong = IS_EXACT ? complaint(text) : "This browser cannot keep numbers as they were written: edit with `warrener failures edit`, or with a newer browser.";
  const send = async (event) => {
    event.preventDefault();
    try {
      setDone(await post(queuePath(queue, "actions", "edit"), `{"id": ${JSON.stringify(id)}, "data": ${text}}`));
      then();
    } catch (refused) {
      setError(refused.message);
    }
  };
  return html`<dialog ref=${dialog} onClose=${close} aria-labelledby="edit-title" class="edit">
    <h2 id="edit-title">Edit and retry</h2>
    <${Problem}>${error}</${Problem}>
    ${done
      ? html`<p role="status">${done.done ? "It was published with the new data." : "It was not there any more."}</p><${Notes} of=${done.notes} />`
      : html`<textarea aria-label="Data of the task" spellcheck="false" rows="16" value=${text} onInput=${(event) => setText(event.target.value)}></textarea>
        <p class=${wrong ? "is-failed" : "soft"} role="status">${wrong ?? "The task keeps its id and its history."}</p>`}
    <p class="buttons">${!done && html`<button class="main" disabled=${Boolean(wrong)} onClick=${send}>Retry with this</button>`}<button onClick=${() => dialog.current.close()}>${done ? "Close" : "Leave it"}</button></p>
  </dialog>`;
}
