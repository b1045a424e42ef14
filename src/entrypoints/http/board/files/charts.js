// Charts as inline SVG. What a chart shows is in its label for those who do not see it.

import { h, svg } from "./dom.js";

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [560, 160, 48, 22, 8];

/**
 * Lines over time.
 * @param {{label: string, series: {name: string, points: {at: number, value: number}[]}[]}} chart
 */
export function lines({ label, series }) {
  const points = series.flatMap((each) => each.points);
  const [first, last] = [Math.min(...points.map(({ at }) => at)), Math.max(...points.map(({ at }) => at))];
  const most = Math.max(1, ...points.map(({ value }) => value));
  const x = (/** @type {number} */ at) => LEFT + ((at - first) / Math.max(1, last - first)) * (WIDTH - LEFT - 8);
  const y = (/** @type {number} */ value) => TOP + (1 - value / most) * (HEIGHT - TOP - BOTTOM);
  return h(
    "div",
    { class: "chart" },
    svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label },
      grid(most, y),
      points.length > 0 && times(first, last),
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
  return h(
    "div",
    { class: "chart" },
    svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": label },
      all.flatMap(({ name, value, shown }, index) => [
        svg(
          "text",
          { x: 170, y: index * row + 17, "text-anchor": "end" },
          name.length > 24 ? `${name.slice(0, 23)}…` : name,
        ),
        svg("rect", {
          class: "bar",
          x: 178,
          y: index * row + 4,
          width: Math.max(1, (value / most) * 290),
          height: row - 9,
          rx: 3,
        }),
        svg("text", { x: 184 + Math.max(1, (value / most) * 290), y: index * row + 17 }, shown),
      ]),
    ),
  );
}

/** @param {number} most @param {(value: number) => number} y */
function grid(most, y) {
  return [0, 0.5, 1].flatMap((part) => {
    const value = most * part;
    const shown = value >= 10 ? Math.round(value) : Math.round(value * 10) / 10;
    return [
      svg("line", { class: "grid", x1: LEFT, x2: WIDTH - 8, y1: y(value), y2: y(value) }),
      svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, new Intl.NumberFormat().format(shown)),
    ];
  });
}

/** @param {number} first @param {number} last */
function times(first, last) {
  /** @param {number} at */
  const shown = (at) => new Date(at).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  return [
    svg("text", { x: LEFT, y: HEIGHT - 5 }, shown(first)),
    svg("text", { x: WIDTH - 8, y: HEIGHT - 5, "text-anchor": "end" }, shown(last)),
  ];
}
