// What changes something: each says first what it will touch, as counted by the server, and does exactly that.
import { post, queuePath } from "./api.js";
import { count, many } from "./format.js";
import { html, useLayoutEffect, useRef, useState } from "./html.js";
import { Notes, Problem } from "./parts/notes.js";
import { Shape } from "./parts/state.js";
import { line } from "./text.js";

const WORDS = {
  retry: { title: "Retry failures", verb: "Retry", done: "retried", says: "Each is published again with its attempts at nought; its history stays." },
  discard: { title: "Discard failures", verb: "Discard", done: "discarded", says: "They are dropped for good: no retry brings them back.", isHarsh: true },
  pause: { title: "Pause the queue", verb: "Pause", says: "Workers finish what they run and take nothing more until it is resumed." },
  resume: { title: "Resume the queue", verb: "Resume", says: "Workers take tasks again." },
  cancel: { title: "Cancel the batch", verb: "Cancel", says: "What waits will end without a result, as cancelled. What runs is finished, unless it is to be killed.", isHarsh: true },
};
const GROUPS = 6;
const ASK_AGAIN = 409; // what was counted is too old

let show = () => {};

/** Open the dialog of an action: of a queue ({verb, path}), or of failures ({verb, queue, filter or ids, after}). */
export function act(action) {
  show(action);
}

/** The dialog; the page has one. */
export function Actions() {
  const [action, setAction] = useState(null);
  show = setAction;
  return action && html`<${Dialog} key=${action} action=${action} close=${() => setAction(null)} />`;
}

function Dialog({ action, close }) {
  const words = WORDS[action.verb];
  const isCounted = action.verb === "retry" || action.verb === "discard";
  const [counted, setCounted] = useState(null);
  const [done, setDone] = useState(null);
  const [error, setError] = useState(null);
  const [isBusy, setBusy] = useState(false);
  const [kills, setKills] = useState(false);
  const dialog = useRef();
  const attempt = async (work) => {
    setBusy(true);
    setError(null);
    try {
      await work();
    } catch (refused) {
      setError(refused.message);
      if (refused.status === ASK_AGAIN) setCounted(null);
    }
    setBusy(false);
  };
  const ask = () =>
    attempt(async () => setCounted(await post(queuePath(action.queue, "actions", "count"), { filter: action.filter ?? null, ids: action.ids ?? null })));
  useLayoutEffect(() => {
    dialog.current.showModal();
    if (isCounted) ask();
  }, []);
  const perform = () =>
    attempt(async () => {
      const body = isCounted ? { selection: counted.selection } : action.verb === "cancel" ? { types: [], running: kills } : {};
      setDone(await post(queuePath(action.queue, "actions", action.verb), body));
      action.after?.();
    });
  const isReady = !isBusy && (!isCounted || counted?.count > 0);
  const verb = isCounted && counted ? `${words.verb} ${count(counted.count)}` : words.verb;
  return html`<dialog ref=${dialog} onClose=${close} aria-labelledby="dialog-title" class="action">
    <h2 id="dialog-title">${words.title}</h2>
    <${Problem}>${error}</${Problem}>
    ${done
      ? html`<p role="status">${isCounted ? `${many(done.done, "failure")} ${words.done}.` : "Done. Workers hear of it at once."}</p><${Notes} of=${done.notes} />`
      : html`${action.what && html`<p class="what">${line(action.what, 600)}</p>`}
          ${isCounted && html`<${Counted} counted=${counted} isBusy=${isBusy} />`}
          <p class="soft">${words.says}</p>
          ${action.verb === "cancel" && html`<label><input type="checkbox" checked=${kills} onChange=${(event) => setKills(event.target.checked)} /> Kill what runs, too</label>`}`}
    <p class="buttons">
      ${!done && isCounted && !counted && !isBusy && html`<button onClick=${ask}>Count again</button>`}
      ${!done && html`<button class=${words.isHarsh ? "harsh" : "main"} disabled=${!isReady} onClick=${perform}>${verb}</button>`}
      <button onClick=${() => dialog.current.close()}>${done ? "Close" : "Leave it"}</button>
    </p>
  </dialog>`;
}

function Counted({ counted, isBusy }) {
  if (!counted) return isBusy && html`<p role="status">Counting what this touches…</p>`;
  const groups = counted.groups ?? [];
  return html`<div role="status">
    <p class="touches"><${Shape} name="failed" /><b class="number">${count(counted.count)}</b> ${counted.count === 1 ? "failure" : "failures"}</p>
    <ul class="plain-list">${groups.slice(0, GROUPS).map((group) => html`<li key=${group.fingerprint}><span class="number">${count(group.count)}</span> ${line(`${group.error || group.reason} ${group.fingerprint ?? "others"}`, 100)}</li>`)}
      ${groups.length > GROUPS && html`<li class="soft">and ${many(groups.length - GROUPS, "group")} more</li>`}</ul>
  </div>`;
}
