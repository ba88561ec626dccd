// What is open and how it is filtered is in the address, so that back works and a link shows others the same.
import { useEffect, useState } from "./html.js";

const listeners = new Set();

/** The members of the address; `where` is a list, all else are texts. */
export function route() {
  const params = new URLSearchParams(location.search);
  return { ...Object.fromEntries(params), where: params.getAll("where") };
}

export function useRoute() {
  const [now, setNow] = useState(route);
  useEffect(() => {
    const changed = () => setNow(route());
    listeners.add(changed);
    return () => listeners.delete(changed);
  }, []);
  return now;
}

/** An address with these members; those that are empty are left out. */
export function href(members) {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(members)) {
    for (const one of [value].flat()) if (one) params.append(name, one);
  }
  return `/?${params}`;
}

/** Open an address; `replace` where back should not lead to what is left. */
export function go(address, { replace = false } = {}) {
  if (replace) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  for (const listener of listeners) listener();
  if (!replace) scrollTo(0, 0);
}

addEventListener("popstate", () => listeners.forEach((listener) => listener()));

// A link within the page opens without a load; one with a key held, or to a file, does what links do.
addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href^='/?']");
  if (!link || link.download || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(link.getAttribute("href"));
});
