// Text that strangers wrote. Markup in it is harmless by itself, since nothing here makes HTML of text; what is left is
// what turns the direction of reading, hides, or never ends.

const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** The text with what nobody sees written as its number; lines and tabs stay. */
export function lines(text) {
  return String(text ?? "")
    .replaceAll("\r\n", "\n")
    .replace(UNSEEN, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** The same on one line, no longer than `most` characters. */
export function line(text, most = 400) {
  const whole = String(text ?? "");
  const short = whole.length > most ? `${whole.slice(0, most - 1)}…` : whole;
  return lines(short).replaceAll("\n", "⏎").replaceAll("\t", " ");
}

/** A value as JSON on one line. */
export function oneLine(value, most = 400) {
  return line(JSON.stringify(value) ?? "", most);
}

/** A value as JSON over many lines. */
export function pretty(value) {
  return JSON.stringify(value, null, 2) ?? "";
}
