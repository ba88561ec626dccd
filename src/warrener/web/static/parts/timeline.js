// The course of a batch since its beginning, on one line of time: what was done and what failed per second, and the states of its tasks.
// Each of the three says by its title what it is and, under the pointer or the arrow keys, how much; so none needs a legend.
import { clock, count, duration, many, rate, short } from "../format.js";
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../html.js";
import { useTheme } from "../theme_switch.js";
import uPlot from "../vendor/uplot.js";
import { bins, mean } from "./bins.js";
import { Shape } from "./state.js";

const FONT = "11px system-ui, sans-serif";
const LEFT = 46;
const RIGHT = 8;
const AXIS = 34;
const HIGH = { completed: 170, failed: 104, states: 130 };
const BESIDE = { room: 1088, high: 296 }; // pixels from which on the states stand beside the others, and then are as high as both
const APART = 90; // from one time of the axis to the next
const EDGE = 24; // half as wide as a time is
const PER_BIN = 6; // pixels, and fewer say no more
const [LEAST, MOST] = [40, 300];
const LATELY = 30; // seconds
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000];

// A canvas knows no variables of CSS: what they come to here is read off an element.
function colour(place, name) {
  place.style.color = `var(--${name})`;
  return getComputedStyle(place).color;
}

function marks(plot, splits, __, ___, increment) {
  let before = "";
  return splits.map((seconds) => {
    const { min, max } = plot.scales.x;
    const wide = plot.width - LEFT - RIGHT;
    if (((seconds - min) / (max - min)) * wide > wide + RIGHT - EDGE) return ""; // it would be cut off
    const text = clock(seconds, increment < 60);
    const [day, time] = text.includes(" ") ? text.split(" ") : ["", text];
    const label = day && day !== before ? `${time}\n${day}` : time;
    before = day;
    return label;
  });
}

/** A line for each state, and what is beneath it filled: down to nought, or, of two that are stacked, down to the other. */
function series(place, kinds) {
  const paths = uPlot.paths.stepped({ align: 1 });
  const lines = kinds.map((kind) => colour(place, kind));
  const fills = lines.map((line) => line.replace("rgb(", "rgba(").replace(")", ", 0.16)"));
  const last = lines.length - 1;
  return {
    series: [{}, ...lines.map((stroke, at) => ({ stroke, width: 1.25, fill: at === last ? fills[at] : undefined, paths, points: { show: false } }))],
    bands: last ? [{ series: [1, 2], fill: fills[0] }] : [],
  };
}

function options({ place, width, height, kinds, most, hasTimes, onCursor }) {
  const [ink, lines] = ["soft", "line"].map((name) => colour(place, name));
  const axis = { stroke: ink, font: FONT, grid: { stroke: lines, width: 1 }, ticks: { show: false } };
  return {
    width,
    height,
    padding: [8, RIGHT, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: "warrener" }, points: { size: 7 } },
    scales: { x: { time: true }, y: { range: (_, __, highest) => [0, most.current ?? (highest > 0 ? highest * 1.08 : 1)] } },
    axes: [
      { ...axis, show: true, size: hasTimes ? AXIS : 4, incrs: STEPS, values: hasTimes ? marks : (_, splits) => splits.map(() => ""), space: APART },
      { ...axis, size: LEFT, space: 24, values: (_, splits) => splits.map((number) => (Number.isInteger(number) ? short(number) : rate(number))) },
    ],
    ...series(place, kinds),
    hooks: { setCursor: [(plot) => onCursor(plot.cursor.idx)] },
  };
}

/** One of the three. The plot is made once for a size and a theme, and then fed. */
function Plot({ name, kinds = [name], data, height, most, hasTimes, onCursor, plots }) {
  const place = useRef();
  const plot = useRef();
  const highest = useRef();
  highest.current = most;
  const { isDark } = useTheme();
  useLayoutEffect(() => {
    const element = place.current; // which is let go before the observer is told
    const make = (width) => {
      plot.current?.destroy();
      const made = new uPlot(options({ place: element, width, height, kinds, most: highest, hasTimes, onCursor }), data.current[name], element);
      plot.current = made;
      plots[name] = made;
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
  useEffect(() => plot.current?.setData(data.current[name]));
  return html`<div class="plot" ref=${place} style=${{ height: `${height}px` }}></div>`;
}

/** How many bins there is room for, and how high the states are. */
function useRoom() {
  const place = useRef();
  const [wide, setWide] = useState(0);
  useLayoutEffect(() => {
    const watch = new ResizeObserver(([entry]) => setWide(Math.floor(entry.contentRect.width)));
    watch.observe(place.current);
    return () => watch.disconnect();
  }, []);
  const isBeside = wide >= BESIDE.room;
  const most = Math.floor((isBeside ? wide / 2 : wide) / PER_BIN);
  return { place, most: Math.min(MOST, Math.max(LEAST, most)), high: isBeside ? BESIDE.high : HIGH.states };
}

export function Timeline({ history, status, isOver }) {
  const { place, most, high } = useRoom();
  const found = useMemo(() => bins(history, status.total, most, isOver), [history, status.total, most, isOver]);
  const [at, setAt] = useState(null);
  const plots = useMemo(() => ({}), []);
  const data = useRef();
  const { times } = found;
  data.current = { completed: [times, found.completed], failed: [times, found.failed], states: [times, found.ended, found.done] };
  const last = times.length - 1;
  const shown = at === null || at > last ? last : at;
  const move = (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, Home: -last, End: last }[event.key];
    const plot = plots.completed;
    if (!by || !plot) return;
    event.preventDefault();
    const next = Math.min(last, Math.max(0, (at ?? last) + by));
    plot.setCursor({ left: plot.valToPos(times[next], "x"), top: 1 }, true);
    setAt(next);
  };
  const isNow = at === null;
  const when = isNow ? (isOver ? "on average" : "now") : `${clock(times[shown])}, ${duration(found.step)} long`;
  const lately = (kind) => {
    if (kind === "failed" && !history.is_complete) return null; // failures are read after all rows
    if (isOver) return mean(found[kind], found.step);
    return kind === "completed" && status.rate !== null ? status.rate : mean(found[kind], found.step, LATELY);
  };
  const perSecond = (kind, word) => html`<p class="plot-title"><${Shape} name=${kind} /> ${word} per second <b class="number">${rate(isNow ? lately(kind) : found[kind][shown])}</b> <span class="soft">${when}</span></p>`;
  const [done, lost] = isNow ? [status.completed, status.failed] : [found.done[shown], found.lost[shown]];
  const label = `Tasks per second from ${clock(history.begin)} to ${clock(history.end)}, at most ${rate(Math.max(...found.completed, 0))} completed and ${rate(Math.max(...found.failed, 0))} failed; arrow keys read it`;
  const plot = { data, plots, onCursor: (idx) => setAt(idx ?? null) };
  return html`<div class="timeline" ref=${place} tabindex="0" role="group" aria-label=${label} onKeyDown=${move} onBlur=${() => setAt(null)}>
    <div>${perSecond("completed", "Done")}<${Plot} ...${plot} name="completed" height=${HIGH.completed} />
      ${perSecond("failed", "Failed")}<${Plot} ...${plot} name="failed" height=${HIGH.failed} hasTimes /></div>
    <div class="states"><p class="plot-title"><${Shape} name="completed" /> done <b class="number">${count(done)}</b> <${Shape} name="failed" /> failed <b class="number">${count(lost)}</b>
        <${Shape} name="ready" /> left <b class="number">${count(Math.max(0, found.total - done - lost))}</b> <span class="soft">${when === "on average" ? "" : when}</span></p>
      <${Plot} ...${plot} name="states" kinds=${["failed", "completed"]} most=${found.total} height=${high} hasTimes /></div>
    <p class="hidden" aria-live="polite">${isNow ? "" : `${when}: ${many(Math.round(found.completed[shown] * found.step), "task")} done, ${rate(found.failed[shown] * found.step)} failed; ${count(done)} of ${count(found.total)} were done`}</p>
  </div>`;
}
