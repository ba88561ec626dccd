// Failures that ended alike, the most first; the open one shows what an example of it said.
import { clock, count, many } from "../format.js";
import { failuresAt } from "../filter.js";
import { html } from "../html.js";
import { TaskLink, Time } from "../parts/ids.js";
import { Block } from "../parts/json.js";
import { line } from "../text.js";

function Example({ queue, group }) {
  const example = group.example;
  const last = example?.history?.at(-1);
  if (!example) return null;
  return html`<tr class="detail"><td colspan="5">
    <p>For example <${TaskLink} queue=${queue} id=${example.task_id} />${example.origin && html`<span class="soft"> from <bdi>${line(example.origin)}</bdi></span>`}</p>
    <${Block} text=${last?.traceback || `${example.error}: ${example.message}`} label="Traceback of an example" />
    ${last?.output && html`<p class="soft">It printed:</p><${Block} text=${last.output} label="Output of an example" />`}
  </td></tr>`;
}

export function Groups({ queue, filter, answer }) {
  const { groups } = answer;
  if (!groups.length) return null;
  const most = Math.max(...groups.map((group) => group.count));
  return html`<table class="list groups">
    <thead><tr><th scope="col" class="number">Failed</th><th scope="col">Alike</th><th scope="col" class="hide-1">Reason</th><th scope="col" class="number hide-2">First</th><th scope="col" class="number hide-1">Last</th></tr></thead>
    <tbody>${groups.map((group) => {
      const isOpen = filter.group === group.key;
      return html`<tr key=${group.key} class=${isOpen ? "is-open" : ""}>
          <td class="w-count number"><span class="with-share">${count(group.count)}<svg class="share is-failed" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true"><rect x=${100 - (group.count / most) * 100} width=${(group.count / most) * 100} height="4" /></svg></span></td>
          <td class="grow"><a data-row aria-expanded=${isOpen} href=${failuresAt(queue, { ...filter, group: isOpen ? "" : group.key })}><b>${line(group.error || group.reason, 80)}</b> <bdi class="alike">${group.fingerprint === null ? "many others" : line(group.fingerprint, 300)}</bdi></a></td>
          <td class="w-word hide-1">${group.reason}</td>
          <td class="w-clock number soft hide-2"><${Time} at=${group.first_failed_at} shown=${clock(group.first_failed_at)} /></td>
          <td class="w-clock number soft hide-1"><${Time} at=${group.last_failed_at} shown=${clock(group.last_failed_at)} /></td>
        </tr>${isOpen && html`<${Example} queue=${queue} group=${group} />`}`;
    })}</tbody>
  </table>
  ${answer.groups_omitted > 0 && html`<p class="soft">and ${many(answer.groups_omitted, "smaller group")} more: search for them</p>`}`;
}
