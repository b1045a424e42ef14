// Builds elements. Texts become text nodes and never markup, wherever they come from.

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * Create an element. Properties that begin with "on" are listeners; false, null and undefined are left out.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any> | null} [properties]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, properties = null, ...children) {
  const element = document.createElement(tag);
  apply(element, properties);
  append(element, children);
  return element;
}

/**
 * Create an element that the board defines itself.
 * @param {string} tag
 * @param {Record<string, any> | null} [properties]
 */
export function custom(tag, properties = null) {
  const element = document.createElement(tag);
  apply(element, properties);
  return element;
}

/**
 * Create an element of SVG.
 * @param {string} tag
 * @param {Record<string, any> | null} [properties]
 * @param {...(Child | Child[])} children
 * @returns {SVGElement}
 */
export function svg(tag, properties = null, ...children) {
  const element = document.createElementNS(SVG, tag);
  apply(element, properties);
  append(element, children);
  return element;
}

/**
 * Replace what is in an element.
 * @param {Element} element
 * @param {...(Child | Child[])} children
 */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

const FOCUSABLE = "a, button:enabled, input, summary, [tabindex='0']";

/**
 * Replace what is in an element that people may be using: where they are on the keyboard and how far they have scrolled
 * stays. If nothing is left there, the element itself gets the focus.
 * @param {HTMLElement} element
 * @param {...(Child | Child[])} children
 */
export function refill(element, ...children) {
  const scrolled = [...element.querySelectorAll(".scroll")].map(({ scrollTop, scrollLeft }) => [scrollTop, scrollLeft]);
  const active = element.contains(document.activeElement) ? document.activeElement : null;
  const index = active === null ? -1 : [...element.querySelectorAll(FOCUSABLE)].indexOf(active);
  fill(element, ...children);
  for (const [at, each] of element.querySelectorAll(".scroll").entries()) {
    [each.scrollTop, each.scrollLeft] = /** @type {[number, number]} */ (scrolled[at] ?? [0, 0]);
  }
  if (active === null) return;
  const left = /** @type {NodeListOf<HTMLElement>} */ (element.querySelectorAll(FOCUSABLE));
  element.tabIndex = -1;
  (left[Math.min(Math.max(0, index), left.length - 1)] ?? element).focus({ preventScroll: true });
}

/**
 * Set a text only if it differs, so that nothing is drawn or read out again without need.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Bring the children of a list to these keys in this order. An element stays the same as long as its key is there.
 * @param {Element} list
 * @param {string[]} keys
 * @param {(key: string) => HTMLElement} make
 */
export function reconcile(list, keys, make) {
  /** @type {Map<string, HTMLElement>} */
  const known = new Map();
  for (const child of /** @type {HTMLElement[]} */ ([...list.children])) known.set(child.dataset.key ?? "", child);
  const wanted = new Set(keys);
  for (const [key, child] of known) if (!wanted.has(key)) child.remove();
  let at = list.firstElementChild;
  for (const key of keys) {
    let child = known.get(key);
    if (child === undefined) {
      child = make(key);
      child.dataset.key = key;
    }
    if (child === at) at = at.nextElementSibling;
    else list.insertBefore(child, at);
  }
}

/**
 * @param {Element} element
 * @param {Record<string, any> | null} properties
 */
function apply(element, properties) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") /** @type {HTMLInputElement} */ (element).value = String(value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/**
 * @param {Element} element
 * @param {(Child | Child[])[]} children
 */
function append(element, children) {
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}
