// All keys there are, in one table: what is bound and what `?` lists cannot differ.
import { useLayoutEffect } from "./html.js";
import { tinykeys } from "./vendor/tinykeys.js";

/** Keys, what they are called here, and what they do; those without a view work everywhere. */
export const KEYS = [
  { keys: ["?"], name: "help", what: "list the keys" },
  { keys: ["/"], name: "search", what: "search this view" },
  { keys: ["g b"], name: "batches", what: "go to the batches" },
  { keys: ["g o"], name: "batch", what: "go to the overview of the batch" },
  { keys: ["g f"], name: "failures", what: "go to its failures" },
  { keys: ["g r"], name: "results", what: "go to its results" },
  { keys: ["g t"], name: "find", what: "find a task by its id" },
  { keys: ["j", "k"], name: "move", what: "next and previous row" },
  { keys: ["Enter"], name: null, what: "open the row" },
  { keys: ["u"], name: "up", what: "one level up" },
  { keys: ["t"], name: "theme", what: "light, dark, as the system has it" },
  { keys: ["p"], name: "pause", what: "pause or resume the queue", view: "Batch" },
  { keys: ["r"], name: "retry", what: "retry what is shown, after a count", view: "Failures, task" },
  { keys: ["d"], name: "discard", what: "discard what is shown, after a count", view: "Failures, task" },
  { keys: ["e"], name: "edit", what: "edit the data and retry", view: "Task" },
  { keys: ["n"], name: "more", what: "show more rows", view: "Failures, results" },
  { keys: ["Esc"], name: null, what: "close; leave a field" },
];

const STORE = "warrener.keys";
const handlers = new Map();

export function areKeysOn() {
  try {
    return localStorage.getItem(STORE) !== "off";
  } catch {
    return true;
  }
}

/** Whoever speaks to the computer, or types by accident, may have single keys do nothing. */
export function setKeysOn(isOn) {
  try {
    localStorage.setItem(STORE, isOn ? "on" : "off");
  } catch {
    // Then they are on again with the next page.
  }
}

/** While the caller is shown, these names of keys do this; null for one that does nothing now. */
export function useKeys(actions) {
  useLayoutEffect(() => {
    const entries = Object.entries(actions).filter(([, action]) => action);
    for (const [name, action] of entries) handlers.set(name, action);
    return () => {
      for (const [name, action] of entries) if (handlers.get(name) === action) handlers.delete(name);
    };
  });
}

function isTyping(event) {
  return event.target.closest?.("input, textarea, select, [contenteditable]");
}

// A key after `g` is the end of a sequence, and not what it is alone.
let last = { key: "", at: 0 };
let isInSequence = false;
function follow(event) {
  isInSequence = last.key === "g" && event.timeStamp - last.at < 1000;
  last = isInSequence ? { key: "", at: 0 } : { key: event.key, at: event.timeStamp };
}
addEventListener("keydown", follow, { capture: true });

function pressed(name, key) {
  const isSequence = key.includes(" ");
  return (event) => {
    if (isSequence !== isInSequence) return;
    if (!areKeysOn() || isTyping(event) || document.querySelector("dialog[open]")) return;
    const action = handlers.get(name);
    if (!action) return;
    event.preventDefault();
    action(key);
  };
}

const bindings = {};
for (const { keys, name } of KEYS) {
  if (!name) continue;
  for (const key of keys) {
    bindings[key] = pressed(name, key);
    if (key === "?" || key === "/") bindings[`Shift+${key}`] = bindings[key]; // as keyboards of many countries have them
  }
}
tinykeys(window, bindings);

addEventListener("keydown", (event) => {
  if (event.key === "Escape" && isTyping(event) && !event.target.closest("dialog")) event.target.blur();
});

/** Go to the next or the previous row of what is shown. */
export function move(key) {
  const rows = [...document.querySelectorAll("main [data-row]")].filter((row) => row.offsetParent);
  if (!rows.length) return;
  const at = rows.indexOf(document.activeElement);
  const next = at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + (key === "j" ? 1 : -1)));
  rows[next].focus();
  rows[next].scrollIntoView({ block: "nearest" });
}
