// Asks for what an action needs, before it is done.

import { fill, h } from "./dom.js";

/**
 * @typedef {object} Field
 * @property {string} name
 * @property {string} label
 * @property {string} [value]
 * @property {number} [most] characters
 * @property {boolean} [long] a text of several lines
 * @property {string} [hint]
 * @property {{value: string, label: string}[]} [options] one of these, instead of a text
 * @property {boolean} [decimal] an amount
 * @property {{name: string, is: string}} [when] asked only if that field has this value
 */

const DECIMAL = "[0-9]+([.,][0-9]+)?";

let number = 0;

/**
 * Ask for values, then do something with them. The dialog stays open until it succeeds, and shows why it did not.
 * @param {{title: string, text?: string, fields?: Field[], confirm: string, danger?: boolean}} question
 * @param {(values: Record<string, string>) => Promise<unknown>} act
 * @returns {Promise<boolean>} whether it was done
 */
export function ask({ title, text = "", fields = [], confirm, danger = false }, act) {
  const opener = placesOf(document.activeElement);
  number += 1;
  const titleId = `dialog-${number}`;
  const problem = h("p", { class: "problem", role: "alert" });
  const inputs = fields.map((field, index) => {
    const properties = {
      id: `${titleId}-${index}`,
      maxlength: field.most ?? 500,
      required: true,
      value: field.value ?? "",
      autocomplete: "off",
    };
    if (field.options !== undefined) {
      const options = field.options.map(({ value, label }) => h("option", { value }, label));
      return h("select", { id: properties.id, required: true }, ...options);
    }
    if (field.long) return h("textarea", { ...properties, rows: 3 });
    return h("input", field.decimal ? { ...properties, inputmode: "decimal", pattern: DECIMAL } : properties);
  });
  const done = h("button", { class: danger ? "danger" : "main" }, confirm);
  const labels = fields.map((field, index) =>
    h(
      "label",
      { for: `${titleId}-${index}` },
      field.label,
      field.hint !== undefined && h("span", { class: "quiet" }, field.hint),
      inputs[index],
    ),
  );
  const adapt = () =>
    fields.forEach(({ when }, index) => {
      if (when === undefined) return;
      const isAsked = inputs[fields.findIndex(({ name }) => name === when.name)]?.value === when.is;
      /** @type {HTMLElement} */ (labels[index]).hidden = !isAsked;
      /** @type {HTMLInputElement} */ (inputs[index]).disabled = !isAsked;
    });
  const form = h(
    "form",
    { class: "stack" },
    h("h2", { id: titleId }, title),
    text !== "" && h("p", null, text),
    labels,
    problem,
    h(
      "div",
      { class: "row end" },
      h("button", { type: "button", class: "plain", onclick: () => dialog.close() }, "Not now"),
      done,
    ),
  );
  const dialog = h("dialog", { "aria-labelledby": titleId }, form);
  return new Promise((resolve) => {
    let succeeded = false;
    form.addEventListener("change", adapt);
    adapt();
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      done.disabled = true;
      problem.textContent = "";
      /** @type {Record<string, string>} */
      const values = {};
      fields.forEach((field, index) => {
        values[field.name] = inputs[index]?.value.trim() ?? "";
      });
      try {
        await act(values);
        succeeded = true;
        dialog.close();
      } catch (error) {
        problem.textContent = explain(error);
        done.disabled = false;
      }
    });
    dialog.addEventListener("close", () => {
      fill(dialog);
      dialog.remove();
      focusFirst(opener);
      resolve(succeeded);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/**
 * An element and all that it is in, below the body.
 * @param {Element | null} element
 * @returns {HTMLElement[]}
 */
function placesOf(element) {
  if (!(element instanceof HTMLElement) || element === document.body) return [];
  return [element, ...placesOf(element.parentElement)];
}

/**
 * Give the focus to the first that is still there: what opened a dialog may have been replaced meanwhile.
 * @param {HTMLElement[]} places
 */
function focusFirst(places) {
  const left = places.find((place) => place.isConnected);
  if (left !== undefined && left !== places[0]) left.tabIndex = -1;
  left?.focus({ preventScroll: true });
}

/**
 * What went wrong, in one text.
 * @param {unknown} error
 */
export function explain(error) {
  const problem = /** @type {any} */ (error).problem;
  const details = (problem?.errors ?? []).map((/** @type {any} */ each) => `allowed: ${each.allowed}`);
  const message = error instanceof Error ? error.message : String(error);
  return [message, ...details].join("; ");
}
