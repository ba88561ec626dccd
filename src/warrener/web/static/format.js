// Numbers and times as people read them. What is not known is a dash, never a nought.

export const UNKNOWN = "–";
const whole = new Intl.NumberFormat("en-US");
const compact = new Intl.NumberFormat("en-US", { notation: "compact" });
const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;
const two = (number) => String(Math.floor(number)).padStart(2, "0");

export function count(number) {
  return number === null || number === undefined ? UNKNOWN : whole.format(number);
}

/** A number on an axis: "20K". */
export function short(number) {
  return compact.format(number);
}

/** "1 failure", "2 failures". */
export function many(number, one, more = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : more}`;
}

/** Tasks per second. */
export function rate(number) {
  if (number === null || number === undefined) return UNKNOWN;
  if (number >= 100 || number === 0) return count(Math.round(number));
  return number.toFixed(number >= 10 ? 1 : 2);
}

/** A part of a whole; 100 % is said of all of it alone. */
export function percent(part) {
  if (part === null || part === undefined) return UNKNOWN;
  if (part >= 1) return "100 %";
  return `${(Math.floor(part * 1000) / 10).toFixed(1)} %`;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return UNKNOWN;
  if (seconds < 0.000_95) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 0.009_95) return `${(seconds * 1000).toFixed(1)} ms`;
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const all = Math.round(seconds);
  if (all < HOUR) return `${Math.floor(all / MINUTE)} min ${two(all % MINUTE)} s`;
  if (all < DAY) return `${Math.floor(all / HOUR)} h ${two((all % HOUR) / MINUTE)} min`;
  return `${Math.floor(all / DAY)} d ${two((all % DAY) / HOUR)} h`;
}

/** The same where there is little room: "8m20s". */
export function brief(seconds) {
  return seconds >= MINUTE ? duration(seconds).replaceAll(/ (min|[hsd])( |$)/g, (_, unit) => unit[0]) : duration(seconds);
}

/** How long something has run: whole seconds, since it is read again each second. */
export function age(seconds) {
  if (seconds === null || seconds === undefined) return UNKNOWN;
  return seconds < MINUTE ? `${Math.floor(seconds)} s` : duration(Math.floor(seconds));
}

export function bytes(number) {
  if (number === null || number === undefined) return UNKNOWN;
  if (number < 1e6) return `${Math.round(number / 1e3)} kB`;
  return number < 1e9 ? `${Math.round(number / 1e6)} MB` : `${(number / 1e9).toFixed(1)} GB`;
}

const day = (date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;

/** A time of day; with its day where that is not today. */
export function clock(seconds, withSeconds = true) {
  if (!seconds) return UNKNOWN;
  const date = new Date(seconds * 1000);
  const time = `${two(date.getHours())}:${two(date.getMinutes())}${withSeconds ? `:${two(date.getSeconds())}` : ""}`;
  return day(date) === day(new Date()) ? time : `${day(date)} ${time}`;
}

/** All of a time, for whoever asks. */
export function instant(seconds) {
  return seconds ? new Date(seconds * 1000).toISOString() : "";
}

const UNITS = [
  [2 * MINUTE, 1, "s"],
  [2 * HOUR, MINUTE, "min"],
  [2 * DAY, HOUR, "h"],
  [Infinity, DAY, "d"],
];

/** How long it will take, as a range, since that is what is known. */
export function left(eta) {
  if (!eta) return UNKNOWN;
  const [, unit, name] = UNITS.find(([end]) => eta[1] < end);
  const [low, high] = [Math.max(0, Math.floor(eta[0] / unit)), Math.ceil(eta[1] / unit)];
  return low === high ? `${high} ${name}` : `${low}–${high} ${name}`;
}

/** The same, and when that is. */
export function remaining(eta, now = Date.now() / 1000) {
  if (!eta) return UNKNOWN;
  const [from, until] = eta.map((seconds) => clock(now + seconds, eta[1] < 2 * MINUTE));
  return `${left(eta)}, at ${from === until ? from : `${from}–${until}`}`;
}
