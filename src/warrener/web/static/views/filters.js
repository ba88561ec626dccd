// The line that says which failures are meant, and what there is to choose from.
import { count } from "../format.js";
import { failuresAt, parsed, written } from "../filter.js";
import { html, useEffect, useRef, useState } from "../html.js";
import { useKeys } from "../keys.js";
import { go } from "../route.js";
import { line } from "../text.js";

const NAMES = ["reason", "type", "error"];
const SHOWN = 8;

function Facet({ queue, filter, name, values }) {
  const [isWhole, setWhole] = useState(false);
  const all = Object.entries(values ?? {}).toSorted(([, one], [, other]) => other - one);
  if (all.length < 2 && !filter[name]) return null;
  const shown = all.slice(0, isWhole ? undefined : SHOWN);
  return html`<div class="facet"><span class="soft" id="facet-${name}">${name}</span><ul aria-labelledby="facet-${name}">
    ${shown.map(([value, number]) => {
      const isOn = filter[name] === value;
      return html`<li key=${value}><a class="chip" aria-current=${isOn ? "true" : undefined} href=${failuresAt(queue, { ...filter, group: "", [name]: isOn ? "" : value })}><bdi>${line(value, 60) || "none"}</bdi> <span class="number soft">${count(number)}</span></a></li>`;
    })}
    ${all.length > shown.length && html`<li><button class="plain" onClick=${() => setWhole(true)}>${count(all.length - shown.length)} more</button></li>`}
  </ul></div>`;
}

export function Filters({ queue, filter, facets }) {
  const now = written(filter);
  const [typed, setTyped] = useState(now);
  const field = useRef();
  useEffect(() => setTyped(now), [now]);
  useKeys({ search: () => field.current?.focus() });
  const submit = (event) => {
    event.preventDefault();
    go(failuresAt(queue, parsed(field.current.value)));
  };
  return html`<div class="filters">
    <form onSubmit=${submit} role="search"><input type="search" ref=${field} value=${typed} onInput=${(event) => setTyped(event.target.value)}
      placeholder="text, type:…, error:…, reason:…, data.path=value" aria-label="Search failures: words of id, message, traceback or data; type:, error:, reason:; data.path=value" spellcheck="false" autocomplete="off" />
      <button>Search</button></form>
    ${facets && NAMES.map((name) => html`<${Facet} key=${name} queue=${queue} filter=${filter} name=${name} values=${facets[name]} />`)}
  </div>`;
}
