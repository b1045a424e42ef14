// Exports: the server makes the file, and the browser saves it.

import { send } from "./api.js";
import { explain } from "./dialog.js";
import { h, setText } from "./dom.js";

const LABEL = "Export CSV";

/**
 * A button that saves what the API exports, and a place for what went wrong. A response that ends early is an error.
 * @param {() => {path: string, name: string}} wanted
 * @returns {HTMLElement[]}
 */
export function exportButton(wanted) {
  const problem = h("span", { class: "problem", role: "alert" });
  const button = h("button", { type: "button", class: "plain" }, LABEL);
  button.addEventListener("click", async () => {
    const { path, name } = wanted();
    button.disabled = true;
    setText(button, "Exporting …");
    setText(problem, "");
    try {
      save(name, await (await send(path)).blob());
    } catch (error) {
      setText(problem, `Nothing is saved: ${explain(error)}`);
    } finally {
      button.disabled = false;
      setText(button, LABEL);
    }
  });
  return [button, problem];
}

/** @param {string} name @param {Blob} file */
function save(name, file) {
  const url = URL.createObjectURL(file);
  const link = h("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
