// The states of an order as a diagram, from the table that the server uses, with the way that an order took.

import { svg } from "./dom.js";
import { stateName } from "./format.js";

/** @typedef {import("./types.js").Lifecycle} Lifecycle */

const [WIDTH, HEIGHT, GAP_X, GAP_Y, PAD] = [150, 44, 46, 52, 8];

/**
 * @param {Lifecycle} rules
 * @param {{states: string[], current: string}} way the states that the order has been in, in that order
 * @returns {SVGElement}
 */
export function stateDiagram(rules, way) {
  const places = layout(rules);
  const columns = Math.max(...[...places.values()].map(({ column }) => column)) + 1;
  const rows = Math.max(...[...places.values()].map(({ row }) => row)) + 1;
  const width = columns * WIDTH + (columns - 1) * GAP_X + 2 * PAD;
  const height = rows * HEIGHT + (rows - 1) * GAP_Y + 2 * PAD;
  const taken = new Set(way.states.slice(1).map((state, index) => `${way.states[index]} ${state}`));
  /** @param {string} state */
  const corner = (state) => {
    const { column, row } = /** @type {{column: number, row: number}} */ (places.get(state));
    return { x: PAD + column * (WIDTH + GAP_X), y: PAD + row * (HEIGHT + GAP_Y) };
  };
  const label = `The way of the order: ${way.states.map(stateName).join(", then ")}.`;
  return svg(
    "svg",
    { class: "diagram", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label },
    svg(
      "defs",
      null,
      ["", "-taken"].map((kind) =>
        svg(
          "marker",
          {
            id: `arrow${kind}`,
            class: `arrow${kind}`,
            viewBox: "0 0 8 8",
            refX: 7,
            refY: 4,
            markerWidth: 7,
            markerHeight: 7,
            orient: "auto",
          },
          svg("path", { d: "M0 0L8 4L0 8z" }),
        ),
      ),
    ),
    rules.transitions.map(({ source, target }) => {
      const isTaken = taken.has(`${source} ${target}`);
      return svg("path", {
        class: isTaken ? "edge taken" : "edge",
        d: edge(corner(source), corner(target)),
        "marker-end": `url(#arrow${isTaken ? "-taken" : ""})`,
      });
    }),
    rules.states.map(({ state }) => {
      const { x, y } = corner(state);
      const kind = state === way.current ? "node current" : way.states.includes(state) ? "node taken" : "node";
      return svg(
        "g",
        { class: kind },
        svg("rect", { x, y, width: WIDTH, height: HEIGHT, rx: 8 }),
        svg("text", { x: x + WIDTH / 2, y: y + HEIGHT / 2 + 5, "text-anchor": "middle" }, stateName(state)),
      );
    }),
  );
}

/**
 * The column of a state is the length of the longest way to it; states of one column stand below each other.
 * @param {Lifecycle} rules
 */
function layout(rules) {
  /** @type {Map<string, number>} */
  const columns = new Map(rules.states.map(({ state }) => [state, 0]));
  for (const _ of rules.states) {
    for (const { source, target } of rules.transitions) {
      const after = (columns.get(source) ?? 0) + 1;
      if (after > (columns.get(target) ?? 0) && after < rules.states.length) columns.set(target, after);
    }
  }
  /** @type {Map<number, number>} */
  const used = new Map();
  return new Map(
    [...columns].map(([state, column]) => {
      const row = used.get(column) ?? 0;
      used.set(column, row + 1);
      return [state, { column, row }];
    }),
  );
}

/**
 * @param {{x: number, y: number}} from
 * @param {{x: number, y: number}} to
 */
function edge(from, to) {
  if (from.y === to.y) return `M${from.x + WIDTH} ${from.y + HEIGHT / 2}H${to.x - 2}`;
  const [x, y] = [from.x + WIDTH / 2, from.y + HEIGHT];
  const end = to.y + HEIGHT / 2;
  return `M${x} ${y}C${x} ${end} ${x + 30} ${end} ${x + 60} ${end}H${to.x - 2}`;
}
