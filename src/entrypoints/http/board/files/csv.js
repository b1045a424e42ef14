// Tables as CSV (RFC 4180), with numbers exactly as the API has sent them.

import { send } from "./api.js";

/** @typedef {Record<string, string | null>} Row */

/**
 * Read rows of a response, each value as the text that was sent: no digit of an amount is lost.
 * @param {string} path
 * @param {AbortSignal} signal
 * @returns {Promise<any>}
 */
export async function readExact(path, signal) {
  const text = await (await send(path, { signal })).text();
  /** @param {string} _ @param {unknown} value @param {{source?: string}} [context] */
  const exact = (_, value, context) => (typeof value === "number" ? (context?.source ?? String(value)) : value);
  return JSON.parse(text, /** @type {any} */ (exact));
}

/**
 * @param {string[]} columns
 * @param {Row[]} rows
 */
export function csv(columns, rows) {
  const lines = [columns, ...rows.map((row) => columns.map((column) => row[column] ?? ""))];
  return lines.map((line) => `${line.map(cell).join(",")}\r\n`).join("");
}

/** @param {string} text */
function cell(text) {
  const isNumber = /^-?\d+(\.\d+)?$/.test(text);
  const safe = !isNumber && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text; // a spreadsheet would compute it
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/**
 * Have the browser save a file.
 * @param {string} name
 * @param {string} text
 */
export function save(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
