// Tables.

import { h } from "./dom.js";

/** @typedef {import("./dom.js").Child} Child */

/**
 * A table. A column whose name begins with "#" has numbers.
 * @param {string} caption
 * @param {string[]} columns
 * @param {Child[][]} rows
 */
export function table(caption, columns, rows) {
  const kind = (/** @type {number} */ index) => (columns[index]?.startsWith("#") ? "n" : null);
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": `${caption} (table)` },
    h(
      "table",
      null,
      h(
        "thead",
        null,
        h(
          "tr",
          null,
          columns.map((name, index) => h("th", { scope: "col", class: kind(index) }, name.replace(/^#/, ""))),
        ),
      ),
      h(
        "tbody",
        null,
        rows.map((row) =>
          h(
            "tr",
            null,
            row.map((cell, index) => h("td", { class: kind(index) }, cell)),
          ),
        ),
      ),
    ),
  );
}
