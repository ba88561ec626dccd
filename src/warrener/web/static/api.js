// Questions to the server, and what it refuses.
import { useEffect, useRef, useState } from "./html.js";

/** What the server says instead of an answer: a sentence for people. */
export class Refused extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "Warrener does not answer: `warrener ui` has ended, or the way to it is cut. This page goes on by itself when it is back.");
  }
  const text = await answer.text();
  if (answer.ok) return text;
  let sentence = `${path} was answered with ${answer.status}.`;
  try {
    sentence = JSON.parse(text).error ?? sentence;
  } catch {
    // Something between us and the server answered; its number has to do.
  }
  throw new Refused(answer.status, sentence);
}

export async function get(path, signal) {
  return JSON.parse(await ask(path, { signal }));
}

// JavaScript has no big integers in JSON, and 1.0 is its 1: what is not written as it came is kept as it was written.
const exactly = (_, value, context) =>
  typeof value === "number" && context?.source && String(value) !== context.source ? JSON.rawJSON(context.source) : value;

/** Whether data can be shown and edited here without changing a digit of it. */
export const IS_EXACT = typeof JSON.rawJSON === "function";

/** An answer to count with, and the same with each number as it was written. */
export async function getExactly(path, signal) {
  const text = await ask(path, { signal });
  return { plain: JSON.parse(text), exact: IS_EXACT ? JSON.parse(text, exactly) : JSON.parse(text) };
}

/** Tell the server to do something; a text as body is JSON already. */
export async function post(path, body) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return JSON.parse(await ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: text }));
}

export function queuePath(queue, ...rest) {
  return ["/api/queues", encodeURIComponent(queue), ...rest].join("/");
}

/**
 * What is at a path, asked again when that path or `version` changes and, where `again(answer)` is a number, after so many
 * seconds. What was there before stays until the new answer comes, so that nothing jumps.
 */
export function useAnswer(path, { ask: how = get, version = 0, again = () => null } = {}) {
  const [state, setState] = useState({ path: null, answer: null, error: null });
  const latest = useRef(again);
  latest.current = again;
  useEffect(() => {
    if (!path) return undefined;
    const stop = new AbortController();
    let timer;
    const later = (seconds) => {
      timer = setTimeout(() => (document.hidden ? later(seconds) : load()), seconds * 1000);
    };
    async function load() {
      try {
        const answer = await how(path, stop.signal);
        if (stop.signal.aborted) return;
        setState({ path, answer, error: null });
        const seconds = latest.current(answer);
        if (seconds) later(seconds);
      } catch (error) {
        if (stop.signal.aborted) return;
        setState((old) => ({ path, answer: old.path === path ? old.answer : null, error: error.message }));
        later(2);
      }
    }
    load();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [path, version]);
  return { ...state, isOld: state.path !== path };
}
