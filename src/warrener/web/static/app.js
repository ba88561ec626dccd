// The page: its head, and the view that the address names.
import { Actions } from "./actions.js";
import { useAnswer } from "./api.js";
import { count, percent } from "./format.js";
import { Help } from "./help.js";
import { html, render, useEffect, useRef, useState } from "./html.js";
import { move, useKeys } from "./keys.js";
import { Problem } from "./parts/notes.js";
import { State } from "./parts/state.js";
import { go, href, route, useRoute } from "./route.js";
import { useStream } from "./stream.js";
import { line } from "./text.js";
import { switchTheme, useTheme } from "./theme_switch.js";
import { Batch } from "./views/batch.js";
import { Batches } from "./views/batches.js";
import { Failures } from "./views/failures.js";
import { Results } from "./views/results.js";
import { Task } from "./views/task.js";

const TABS = [
  ["", "Overview"],
  ["failures", "Failures"],
  ["results", "Results"],
];

function Find({ queue, field }) {
  const submit = (event) => {
    event.preventDefault();
    const id = field.current.value.trim();
    if (id) go(href({ queue, view: "task", id }));
    field.current.value = "";
  };
  return html`<form class="find" onSubmit=${submit} role="search"><input type="search" ref=${field}
    placeholder="Task id" aria-label="Find a task by its id" spellcheck="false" autocomplete="off" /></form>`;
}

function Tabs({ queue, view, status }) {
  return html`<nav aria-label="Views of the batch"><ul>${TABS.map(([name, word]) => html`<li key=${name}>
    <a href=${href({ queue, view: name })} aria-current=${view === name ? "page" : undefined}>${word}${name === "failures" && status?.failed > 0 && html` <span class="number is-failed">${count(status.failed)}</span>`}</a></li>`)}
    ${view === "task" && html`<li><a aria-current="page" href=${location.search ? `/${location.search}` : "/"}>Task</a></li>`}</ul></nav>`;
}

function Head({ me, queue, view, status, openHelp, field }) {
  const { chosen } = useTheme();
  return html`<header>
    <a class="skip" href="#main">To the content</a>
    <p class="where"><a class="mark" href=${href({ view: "batches" })}>warrener</a>${queue
      ? html`<span class="soft" aria-hidden="true">/</span><a class="strong" href=${href({ queue })}><bdi>${line(queue, 100)}</bdi></a>${status && html`<${State} name=${status.state} />`}`
      : html`<span class="soft broker"><bdi>${line(me?.broker ?? "", 100)}</bdi></span>`}</p>
    ${queue && html`<${Tabs} queue=${queue} view=${view} status=${status} />`}
    <div class="tools">${queue && html`<${Find} queue=${queue} field=${field} />`}
      <button class="plain" onClick=${switchTheme} title="Light, dark, or as the system has it (t)">Colours: <span class="theme-name">${chosen}</span></button>
      <button class="plain" onClick=${openHelp} aria-label="List the keys" title="List the keys (?)">Keys <kbd>?</kbd></button></div>
  </header>`;
}

function View({ me, queue, view, now, told }) {
  if (!queue) return html`<${Batches} me=${me} text=${now.text} />`;
  if (view === "failures") return html`<${Failures} queue=${queue} route=${now} told=${told} me=${me} />`;
  if (view === "results") return html`<${Results} queue=${queue} route=${now} told=${told} />`;
  if (view === "task") return html`<${Task} key=${now.id} queue=${queue} id=${now.id} me=${me} />`;
  return html`<${Batch} key=${queue} queue=${queue} told=${told} me=${me} />`;
}

/** What the tab of the browser says, so that one looks at it only when there is something to see. */
function title(queue, view, status) {
  if (!queue) return "Warrener";
  const far = status?.progress === undefined || status.progress === null ? "" : `${percent(status.progress)} `;
  return `${far}${line(queue, 60)}${view ? `: ${view}` : ""} · Warrener`;
}

function Page() {
  const now = useRoute();
  const { answer: me, error } = useAnswer("/api/me");
  const { queue, view = "" } = now;
  const told = useStream(queue);
  const [isHelp, setHelp] = useState(false);
  const field = useRef();
  useEffect(() => {
    if (me?.queue && !location.search) go(href({ queue: me.queue }), { replace: true });
  }, [me]);
  useEffect(() => {
    document.title = title(queue, view, told.status);
  });
  const open = (name) => (queue ? () => go(href({ queue, view: name })) : null);
  useKeys({
    help: () => setHelp(true), batches: () => go(href({ view: "batches" })), batch: open(""), failures: open("failures"), results: open("results"),
    find: queue ? () => field.current?.focus() : null, move, theme: switchTheme,
    up: queue ? () => go(view ? href({ queue, view: view === "task" ? "failures" : "" }) : href({ view: "batches" })) : null,
  });
  const away = told.problem ?? (told.isCut ? "Warrener does not answer; what is shown is old. The page goes on by itself when it is back." : null);
  return html`<${Head} me=${me} queue=${queue} view=${view} status=${told.status} openHelp=${() => setHelp(true)} field=${field} />
    <main id="main" tabindex="-1" class=${away ? "is-old" : ""}><${Problem}>${away ?? error}</${Problem}>
      <${View} me=${me} queue=${queue} view=${view} now=${now} told=${told} /></main>
    <footer class="soft">${me && html`<span>Warrener ${line(me.version)}</span>${queue && html`<bdi>${line(me.broker, 100)}</bdi>`}<span>${me.can_act ? `Acts as ${line(me.user, 80)}` : "Shows only"}</span>`}</footer>
    ${isHelp && html`<${Help} close=${() => setHelp(false)} />`}<${Actions} />`;
}

if (route().view === undefined && route().queue === undefined && location.hash) history.replaceState(null, "", "/");
render(html`<${Page} />`, document.getElementById("app"));
