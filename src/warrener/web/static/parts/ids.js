// Links to what is named: a task, a batch. Names are strangers' text, and may be very long.
import { html } from "../html.js";
import { href } from "../route.js";
import { line } from "../text.js";

/** A task's id as a link to all that is known of it; `isRow` makes it what the keys move to. */
export function TaskLink({ queue, id, isRow }) {
  return html`<a class="id" href=${href({ queue, view: "task", id })} title=${line(id)} data-row=${isRow}><bdi>${line(id)}</bdi></a>`;
}

/** Text of a stranger on one line, cut where its column ends. */
export function Name({ children, most = 300 }) {
  const text = line(children, most);
  return html`<bdi class="name" title=${text}>${text}</bdi>`;
}

/** A time of day, and all of it on demand. */
export function Time({ at, shown }) {
  return html`<time class="number" dateTime=${at ? new Date(at * 1000).toISOString() : undefined} title=${at ? new Date(at * 1000).toISOString() : ""}>${shown}</time>`;
}
