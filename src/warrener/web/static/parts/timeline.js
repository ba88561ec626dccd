// Tasks per second since the beginning: what was done above, what failed below, on one line of time.
// Each of the two says by its title what it is and, under the pointer or the arrow keys, how much; so neither needs a legend.
import { clock, count, duration, many, rate } from "../format.js";
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../html.js";
import { useTheme } from "../theme_switch.js";
import uPlot from "../vendor/uplot.js";
import { Shape } from "./state.js";

const FONT = "11px system-ui, sans-serif";
const LEFT = 56;
const AXIS = 24;
const LOW = 104;

/** Bins as uPlot wants them. The last one may only have begun: it is as high as what came so far promises, once that is half of it. */
export function perSecond({ timeline, end }) {
  const { begin, step, completed, failed } = timeline;
  const last = completed.length - 1;
  const times = completed.map((_, at) => begin + at * step);
  const lasts = (at) => (at === last ? Math.min(step, Math.max(end - times[at], step / 2)) : step);
  const divide = (counts) => counts.map((number, at) => number / lasts(at));
  return { times, step, completed: divide(completed), failed: divide(failed) };
}

// A canvas knows no variables of CSS: what they come to here is read off an element.
function colour(place, name) {
  place.style.color = `var(--${name})`;
  return getComputedStyle(place).color;
}

function marks(_, splits, __, ___, increment) {
  let before = "";
  return splits.map((seconds) => {
    const text = clock(seconds, increment < 60);
    const [day, time] = text.includes(" ") ? text.split(" ") : ["", text];
    const label = day && day !== before ? `${time}\n${day}` : time;
    before = day;
    return label;
  });
}

function options({ place, width, height, kind, hasTimes, onCursor }) {
  const [ink, lines, stroke] = ["soft", "line", kind].map((name) => colour(place, name));
  const axis = { stroke: ink, font: FONT, grid: { stroke: lines, width: 1 }, ticks: { show: false } };
  return {
    width,
    height,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: "warrener" }, points: { size: 7 } },
    scales: { x: { time: true }, y: { range: (_, __, most) => [0, Math.max(most, 0.01) * 1.08] } },
    axes: [
      { ...axis, show: true, size: hasTimes ? AXIS + 10 : 4, values: hasTimes ? marks : (_, splits) => splits.map(() => ""), space: 90 },
      { ...axis, size: LEFT, space: 24, values: (_, splits) => splits.map((number) => (Number.isInteger(number) ? count(number) : rate(number))) },
    ],
    series: [{}, { stroke, width: 1.25, fill: stroke.replace("rgb(", "rgba(").replace(")", ", 0.16)"), paths: uPlot.paths.stepped({ align: 1 }), points: { show: false } }],
    hooks: { setCursor: [(plot) => onCursor(plot.cursor.idx)] },
  };
}

/** One of the two. The plot is made once for a size and a theme, and then fed. */
function Plot({ data, kind, height, hasTimes, onCursor, plots }) {
  const place = useRef();
  const plot = useRef();
  const { isDark } = useTheme();
  useLayoutEffect(() => {
    const element = place.current; // which is let go before the observer is told
    const make = (width) => {
      plot.current?.destroy();
      const made = new uPlot(options({ place: element, width, height, kind, hasTimes, onCursor }), data.current[kind], element);
      plot.current = made;
      plots[kind] = made;
    };
    const watch = new ResizeObserver(([entry]) => {
      const width = Math.floor(entry.contentRect.width);
      if (!plot.current) make(width);
      else if (width !== plot.current.width) plot.current.setSize({ width, height });
    });
    watch.observe(element);
    return () => {
      watch.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [isDark, height]);
  useEffect(() => plot.current?.setData(data.current[kind]));
  return html`<div class="plot" ref=${place} style=${{ height: `${height}px` }}></div>`;
}

export function Timeline({ history, high = 190 }) {
  const bins = useMemo(() => perSecond(history), [history]);
  const [at, setAt] = useState(null);
  const plots = useMemo(() => ({}), []);
  const data = useRef();
  data.current = { completed: [bins.times, bins.completed], failed: [bins.times, bins.failed] };
  const last = bins.times.length - 1;
  const shown = at === null || at > last ? last : at;
  const step = (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, Home: -last, End: last }[event.key];
    const plot = plots.completed;
    if (!by || !plot) return;
    event.preventDefault();
    const next = Math.min(last, Math.max(0, (at ?? last) + by));
    plot.setCursor({ left: plot.valToPos(bins.times[next], "x"), top: 1 }, true);
    setAt(next);
  };
  const when = at === null ? "now" : `${clock(bins.times[shown])}, ${duration(bins.step)} long`;
  const most = Math.max(...bins.completed, 0);
  const label = `Tasks per second from ${clock(history.begin)} to ${clock(history.end)}, at most ${rate(most)} completed and ${rate(Math.max(...bins.failed, 0))} failed; arrow keys read it`;
  const title = (kind, word) => html`<p class="plot-title"><${Shape} name=${kind} /> ${word} per second <b class="number">${rate(bins[kind][shown])}</b> <span class="soft">${when}</span></p>`;
  return html`<div class="timeline" tabindex="0" role="group" aria-label=${label} onKeyDown=${step} onBlur=${() => setAt(null)}>
    ${title("completed", "Done")}
    <${Plot} data=${data} kind="completed" height=${high} onCursor=${(idx) => setAt(idx ?? null)} plots=${plots} />
    ${title("failed", "Failed")}
    <${Plot} data=${data} kind="failed" height=${LOW} hasTimes onCursor=${() => {}} plots=${plots} />
    <p class="hidden" aria-live="polite">${at === null ? "" : `${when}: ${many(Math.round(bins.completed[shown] * bins.step), "task")} done, ${rate(bins.failed[shown] * bins.step)} failed`}</p>
  </div>`;
}
