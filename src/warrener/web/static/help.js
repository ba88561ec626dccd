// The list of keys.
import { html, useLayoutEffect, useRef, useState } from "./html.js";
import { areKeysOn, KEYS, setKeysOn } from "./keys.js";

export function Help({ close }) {
  const dialog = useRef();
  const [isOn, setOn] = useState(areKeysOn);
  useLayoutEffect(() => dialog.current.showModal(), []);
  const change = (event) => {
    setKeysOn(event.target.checked);
    setOn(event.target.checked);
  };
  return html`<dialog ref=${dialog} onClose=${close} aria-labelledby="help-title" class="help">
    <h2 id="help-title">Keys</h2>
    <table class="list"><thead class="hidden"><tr><th scope="col">Key</th><th scope="col">Does</th><th scope="col">Where</th></tr></thead>
      <tbody>${KEYS.map(({ keys, what, view }) => html`<tr key=${what}>
        <td class="w-keys">${keys.map((key) => html`<span class="keys">${key.split(" ").map((press) => html`<kbd>${press}</kbd>`)}</span>`)}</td>
        <td class="grow">${what}</td><td class="soft w-type">${view ?? ""}</td></tr>`)}</tbody></table>
    <label><input type="checkbox" checked=${isOn} onChange=${change} /> Single keys do this</label>
    <p class="buttons"><button class="main" onClick=${() => dialog.current.close()}>Close</button></p>
  </dialog>`;
}
