// What failed and why: one line for all that failed alike, and each of them beneath.
import { act } from "../actions.js";
import { get, queuePath, useAnswer } from "../api.js";
import { count, many } from "../format.js";
import { asQuery, filterOf, isEmpty, written } from "../filter.js";
import { html, useEffect, useMemo, useState } from "../html.js";
import { useKeys } from "../keys.js";
import { Empty, Problem, Reading } from "../parts/notes.js";
import { line } from "../text.js";
import { FailureRows } from "./failure_rows.js";
import { Filters } from "./filters.js";
import { Groups } from "./groups.js";

const PAGE = 50;
const EVERY = 5;

/** The failures after those of the first answer, page by page, as far as they were asked for. */
function useMore(path, answer) {
  const [pages, setPages] = useState([]);
  const [error, setError] = useState(null);
  useEffect(() => setPages([]), [path]);
  const next = pages.length ? pages.at(-1).next : answer?.next;
  const ask = next && (async () => {
    try {
      const page = await get(`${path}&after=${encodeURIComponent(next)}`);
      setPages((old) => [...old, page]);
    } catch (refused) {
      setError(refused.message);
    }
  });
  const failures = useMemo(() => {
    const all = new Map(); // one that came meanwhile pushed others onto the next page
    for (const page of [answer, ...pages]) for (const failure of page?.failures ?? []) all.set(failure.task_id, failure);
    return [...all.values()];
  }, [answer, pages]);
  return { failures, ask, error };
}

export function Failures({ queue, route, told, me }) {
  const filter = filterOf(route);
  const path = queuePath(queue, "failures") + asQuery(filter, { limit: PAGE });
  const [version, setVersion] = useState(0);
  const { answer, error } = useAnswer(path, { version, again: (found) => (found.is_complete ? EVERY : 1) });
  const more = useMore(path, answer);
  const meant = () => (isEmpty(filter) ? `All failures of ${queue}` : [written(filter), route.group && "this group"].filter(Boolean).join(", "));
  const start = (verb) => act({ verb, queue, filter, what: meant(), after: () => setVersion((old) => old + 1) });
  const canAct = me?.can_act && answer?.count > 0;
  useKeys({ retry: canAct ? () => start("retry") : null, discard: canAct ? () => start("discard") : null, more: more.ask });
  const hasNone = answer && answer.is_complete && !answer.total;
  return html`<section class="failures">
    <h1 class="hidden">Failures</h1>
    ${!hasNone && html`<${Filters} queue=${queue} filter=${filter} facets=${answer?.facets} />`}
    <${Problem}>${error ?? more.error}</${Problem}>
    <${Reading} of=${answer} what="failures" />
    ${!answer && !error && html`<p class="soft">Asking for the failures of ${line(queue)}…</p>`}
    ${hasNone && html`<${Empty} command=${`warrener status --queue ${line(queue)}`}>${told.status?.completed ? `None of ${many(told.status.completed, "task")} that ended has failed.` : "Nothing has failed."} How far it is:</${Empty}>`}
    ${answer && !hasNone && html`
      <div class="line"><p><b class="number">${count(answer.count)}</b> ${isEmpty(filter) ? "failures" : html`of <span class="number">${count(answer.total)}</span> failures fit`}</p>
        <p class="buttons end">
          ${canAct && html`<button class="main" onClick=${() => start("retry")}>Retry ${count(answer.count)}…</button><button onClick=${() => start("discard")}>Discard ${count(answer.count)}…</button>`}
          <a class="button" download href=${queuePath(queue, "failures.jsonl") + asQuery(filter)}>JSONL</a><a class="button" download href=${queuePath(queue, "failures.csv") + asQuery(filter)}>CSV</a></p></div>
      ${me && !me.can_act && html`<p class="soft">${me.why_not}</p>`}
      <div class="columns is-even"><div><${Groups} queue=${queue} filter=${filter} answer=${answer} /></div>
        <div><${FailureRows} queue=${queue} failures=${more.failures} /></div></div>
      ${answer.count === 0 && answer.is_complete && html`<${Empty}>No failure fits.</${Empty}>`}
      ${more.ask && html`<p class="buttons"><button onClick=${more.ask}>Show ${count(Math.min(PAGE, answer.count - more.failures.length))} more of ${count(answer.count)}</button></p>`}`}
  </section>`;
}
