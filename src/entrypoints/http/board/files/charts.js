// Charts as inline SVG. What a chart shows is in its label for those who do not see it.

import { h, svg } from "./dom.js";
import { number, shortened } from "./format.js";

const [HEIGHT, LEFT, BOTTOM, TOP] = [160, 48, 22, 8];
/** The width of a character at most. */
const CHARACTER = 8;
const DAY = 86_400_000;
/** The part of a chart's width that the names of bars get. */
const NAMES = 0.32;
const COMPACT = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });

/** On a telephone a chart has fewer units, so that its texts can be read. */
const chartWidth = () => (matchMedia("(max-width: 40rem)").matches ? 340 : 560);

/**
 * Lines over time.
 * @param {{label: string, series: {name: string, points: {at: number, value: number}[]}[]}} chart
 */
export function lines({ label, series }) {
  const width = chartWidth();
  const points = series.flatMap((each) => each.points);
  const [first, last] = [Math.min(...points.map(({ at }) => at)), Math.max(...points.map(({ at }) => at))];
  const most = Math.max(1, ...points.map(({ value }) => value));
  const x = (/** @type {number} */ at) => LEFT + ((at - first) / Math.max(1, last - first)) * (width - LEFT - 8);
  const y = (/** @type {number} */ value) => TOP + (1 - value / most) * (HEIGHT - TOP - BOTTOM);
  return h(
    "div",
    { class: "chart" },
    svg(
      "svg",
      { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": label },
      grid(width, most, y),
      points.length > 0 && times(width, first, last),
      series.map((each, index) =>
        svg("polyline", {
          class: `line line-${index % 4}`,
          points: each.points.map(({ at, value }) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(" "),
        }),
      ),
    ),
    series.length > 1 &&
      h(
        "ul",
        { class: "legend" },
        series.map((each, index) => h("li", { class: `key-${index % 4}` }, each.name)),
      ),
  );
}

/**
 * Bars, each with its name.
 * @param {{label: string, bars: {name: string, value: number, shown: string}[]}} chart
 */
export function bars({ label, bars: all }) {
  const most = Math.max(1, ...all.map(({ value }) => value));
  const row = 26;
  const height = Math.max(row, all.length * row);
  const room = CHARACTER * Math.max(0, ...all.map(({ shown }) => shown.length));
  const width = chartWidth();
  const left = Math.round(width * NAMES);
  const longest = Math.floor((left - 8) / CHARACTER);
  const widest = Math.max(20, width - left - 6 - room);
  const length = (/** @type {number} */ value) => Math.max(1, (value / most) * widest);
  return h(
    "div",
    { class: "chart" },
    svg(
      "svg",
      { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
      all.flatMap(({ name, value, shown }, index) => [
        svg(
          "text",
          { x: left - 8, y: index * row + 17, "text-anchor": "end" },
          shortened(name, longest),
        ),
        svg("rect", {
          class: "bar",
          x: left,
          y: index * row + 4,
          width: length(value),
          height: row - 9,
          rx: 3,
        }),
        svg("text", { x: left + 6 + length(value), y: index * row + 17 }, shown),
      ]),
    ),
  );
}

/** @param {number} width @param {number} most @param {(value: number) => number} y */
function grid(width, most, y) {
  return [0, 0.5, 1].flatMap((part) => {
    const value = most * part;
    const shown = value >= 10 ? Math.round(value) : Math.round(value * 10) / 10;
    return [
      svg("line", { class: "grid", x1: LEFT, x2: width - 8, y1: y(value), y2: y(value) }),
      svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, shown < 10_000 ? number(shown) : COMPACT.format(value)),
    ];
  });
}

/** @param {number} width @param {number} first @param {number} last */
function times(width, first, last) {
  /** @type {Intl.DateTimeFormatOptions} */
  const day = last - first < DAY ? {} : { day: "numeric", month: "short" };
  /** @param {number} at */
  const shown = (at) => new Date(at).toLocaleString(undefined, { ...day, hour: "2-digit", minute: "2-digit" });
  return [
    svg("text", { x: LEFT, y: HEIGHT - 5 }, shown(first)),
    svg("text", { x: width - 8, y: HEIGHT - 5, "text-anchor": "end" }, shown(last)),
  ];
}
