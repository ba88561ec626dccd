// Light, dark, or as the system has it; see theme.js for what happens before anything is drawn.
import { useEffect, useState } from "./html.js";

const ORDER = ["system", "light", "dark"];
const dark = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set();
const tell = () => listeners.forEach((listener) => listener());
dark.addEventListener("change", tell);

function chosen() {
  return document.documentElement.dataset.theme ?? "system";
}

export function switchTheme() {
  const next = ORDER[(ORDER.indexOf(chosen()) + 1) % ORDER.length];
  if (next === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem("warrener.theme", next);
  } catch {
    // It holds for as long as the page is open.
  }
  tell();
}

/** What was chosen, and what is seen. Whoever draws by himself draws again when it changes. */
export function useTheme() {
  const [theme, setTheme] = useState(() => ({ chosen: chosen(), isDark: isDark() }));
  useEffect(() => {
    const changed = () => setTheme({ chosen: chosen(), isDark: isDark() });
    listeners.add(changed);
    return () => listeners.delete(changed);
  }, []);
  return theme;
}

function isDark() {
  return chosen() === "dark" || (chosen() === "system" && dark.matches);
}
