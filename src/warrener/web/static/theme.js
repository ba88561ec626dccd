// Light or dark, as was chosen here before; without a choice, as the system has it.
// A script of the old kind, since it has to run before anything is drawn.
(() => {
  try {
    const chosen = localStorage.getItem("warrener.theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch {
    // A browser that keeps nothing for us shows what the system has.
  }
})();
