// The address of a view is the part of the URL after "#", which a browser sends to no server.

/** @typedef {{path: string[], parameters: URLSearchParams}} Place */

/** @returns {Place} */
export function place() {
  const [path, text] = split(location.hash.replace(/^#\/?/, ""));
  return { path: path.split("/").filter(Boolean).map(decode), parameters: new URLSearchParams(text) };
}

/**
 * The link to a view.
 * @param {string[]} path
 * @param {URLSearchParams | Record<string, string>} [parameters]
 */
export function link(path, parameters = {}) {
  const text = new URLSearchParams(parameters).toString();
  return `#/${path.map(encodeURIComponent).join("/")}${text === "" ? "" : `?${text}`}`;
}

/**
 * Change parameters of this view: an empty value takes one away. Going back undoes it, unless it ``replaces`` the last.
 * @param {Record<string, string>} changes
 * @param {{replaces?: boolean}} [options]
 */
export function setParameters(changes, { replaces = false } = {}) {
  const { path, parameters } = place();
  for (const [name, value] of Object.entries(changes)) {
    if (value === "") parameters.delete(name);
    else parameters.set(name, value);
  }
  const target = link(path, parameters);
  if (target === location.hash) return;
  if (replaces) {
    history.replaceState(null, "", target);
    dispatchEvent(new HashChangeEvent("hashchange"));
  } else location.hash = target;
}

let orders = "#/orders";

/** The link to the orders as they were looked at last, with search and filters. */
export const latestOrders = () => orders;

export function rememberOrders() {
  orders = location.hash || "#/orders";
}

/** @param {string} text @returns {[string, string]} */
function split(text) {
  const at = text.indexOf("?");
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

/** @param {string} text */
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
