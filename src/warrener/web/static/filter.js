// Which failures are meant, as one line that people type and as the members of an address:
// reason:exhausted type:"make thumbnail" error:HTTPError data.region=eu timed out
import { href } from "./route.js";

const NAMED = ["reason", "type", "error"];
const TOKEN = /"(?:[^"\\]|\\.)*"|(?:[^\s"]|"(?:[^"\\]|\\.)*")+/g;
const PATH = /^(?:data|id|priority|origin)(?:[.[][^=]*)?=/;

/** The filter in an address. */
export function filterOf({ reason, type, error, text, where, group }) {
  return { reason, type, error, text, where: where ?? [], group };
}

export function isEmpty(filter) {
  return !NAMED.some((name) => filter[name]) && !filter.text && !filter.where.length && !filter.group;
}

// A path may have quotes within, where a name with a dot has them.
function quotedPath(value) {
  return /\s/.test(value) ? JSON.stringify(value) : value;
}

function quoted(value) {
  return /[\s"]/.test(value) ? JSON.stringify(value) : value;
}

function unquoted(value) {
  if (!value.startsWith('"')) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value.slice(1, -1);
  }
}

/** The filter as a line. */
export function written(filter) {
  const named = NAMED.filter((name) => filter[name]).map((name) => `${name}:${quoted(filter[name])}`);
  return [...named, ...filter.where.map(quotedPath), filter.text].filter(Boolean).join(" ");
}

/** What a line means. */
export function parsed(line) {
  const filter = { where: [] };
  const words = [];
  for (const token of line.match(TOKEN) ?? []) {
    const [, name, value] = /^(\w+):(.+)$/.exec(token) ?? [];
    if (NAMED.includes(name)) filter[name] = unquoted(value);
    else if (PATH.test(unquoted(token))) filter.where.push(unquoted(token));
    else words.push(token);
  }
  return { ...filter, text: words.join(" ") };
}

/** Where these failures are shown. */
export function failuresAt(queue, filter) {
  return href({ queue, view: "failures", ...filter });
}

/** What is asked of the server. */
export function asQuery(filter, more = {}) {
  return href({ ...filter, ...more }).slice(1);
}
