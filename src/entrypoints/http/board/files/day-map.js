// Draws the map of a simulated day: restaurants, couriers on their ways, and orders at their doors.

import { untouched, urgency } from "./lifecycle.js";

/** @typedef {import("./types.js").Day} Day */
/** @typedef {import("./types.js").Courier} Courier */
/** @typedef {import("./types.js").Order} Order */
/** @typedef {import("./types.js").Lifecycle} Lifecycle */
/** @typedef {{x: number, y: number}} Point */
/** @typedef {{scale: number, left: number, top: number, x: number, y: number, height: number}} View */

/** How long an order that has ended is still shown, in milliseconds of the day. */
const FADES = 20 * 60_000;
const MARGIN = 22;
const MOST_HIGH = 0.72;
const KILOMETRE = 1_000;

/** @type {Record<string, string>} */
export const COLOURS = {
  waiting_for_shipper: "--soon",
  preparing: "--accent",
  on_the_way: "--fine",
  delivered: "--fine",
  cancelled: "--late",
};

/**
 * Where a courier is at a second of the day; null outside of the shift. ``to`` is where the way ends.
 * @param {Courier} courier
 * @param {number} second
 * @returns {(Point & {to: Point | null}) | null}
 */
export function courierAt(courier, second) {
  let at = { x: courier.x, y: courier.y };
  const last = courier.legs.at(-1);
  if (second < courier.on || second > Math.max(courier.off, last?.ends ?? 0)) return null;
  for (const leg of courier.legs) {
    if (second < leg.begins) break;
    const to = { x: leg.x2, y: leg.y2 };
    if (second < leg.ends) {
      const part = (second - leg.begins) / (leg.ends - leg.begins);
      return { x: leg.x1 + (leg.x2 - leg.x1) * part, y: leg.y1 + (leg.y2 - leg.y1) * part, to };
    }
    at = to;
  }
  return { ...at, to: null };
}

/** A map on a canvas, which fills the width that it has. */
export class DayMap {
  canvas;
  #day;
  /** @type {Map<string, Point>} */
  #doors;
  #box;
  /** @type {{id: string, x: number, y: number}[]} */
  #drawn = [];

  /** @param {HTMLCanvasElement} canvas @param {Day} day */
  constructor(canvas, day) {
    this.canvas = canvas;
    this.#day = day;
    this.#doors = new Map(day.orders.map(({ id, x, y }) => [id, { x, y }]));
    const places = [...day.restaurants, ...day.orders, ...day.couriers];
    const xs = places.map(({ x }) => x);
    const ys = places.map(({ y }) => y);
    const [left, right] = [Math.min(...xs), Math.max(...xs)];
    const [bottom, top] = [Math.min(...ys), Math.max(...ys)];
    this.#box = { x: left, y: bottom, width: Math.max(right - left, 1), height: Math.max(top - bottom, 1) };
  }

  /**
   * The order that is drawn nearest to a point of the canvas, if it is near.
   * @param {number} x
   * @param {number} y
   */
  orderNear(x, y) {
    let nearest = null;
    let least = 16;
    for (const each of this.#drawn) {
      const distance = Math.hypot(each.x - x, each.y - y);
      if (distance < least) [nearest, least] = [each.id, distance];
    }
    return nearest;
  }

  /**
   * @param {Iterable<Order>} orders
   * @param {Lifecycle} rules
   * @param {number} at
   */
  draw(orders, rules, at) {
    const context = this.canvas.getContext("2d");
    const view = this.#fit();
    if (context === null || view === null) return;
    const style = getComputedStyle(this.canvas);
    const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
    const second = (at - Date.parse(this.#day.midnight)) / 1000;
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.#drawScale(context, view, colour("--quiet"));
    for (const restaurant of this.#day.restaurants) {
      const { x, y } = project(view, restaurant);
      drawRestaurant(context, x, y, colour("--quiet"));
    }
    for (const courier of this.#day.couriers) drawCourier(context, view, courierAt(courier, second), colour);
    this.#drawn = [];
    for (const order of orders) this.#drawOrder(context, view, order, rules, at, colour);
  }

  /** Bring the canvas to the size that it has on the page. @returns {View | null} */
  #fit() {
    const width = this.canvas.clientWidth;
    if (width === 0) return null;
    const ratio = this.#box.height / this.#box.width;
    const height = Math.round(Math.min(width * ratio + 2 * MARGIN, innerHeight * MOST_HIGH));
    const dense = Math.max(1, devicePixelRatio || 1);
    if (this.canvas.width !== Math.round(width * dense) || this.canvas.height !== Math.round(height * dense)) {
      this.canvas.width = Math.round(width * dense);
      this.canvas.height = Math.round(height * dense);
      this.canvas.style.height = `${height}px`;
    }
    this.canvas.getContext("2d")?.setTransform(dense, 0, 0, dense, 0, 0);
    const scale = Math.min((width - 2 * MARGIN) / this.#box.width, (height - 2 * MARGIN) / this.#box.height);
    const left = (width - scale * this.#box.width) / 2;
    const top = (height - scale * this.#box.height) / 2;
    return { scale, left, top, x: this.#box.x, y: this.#box.y, height };
  }

  /** @param {CanvasRenderingContext2D} context @param {View} view @param {string} colour */
  #drawScale(context, view, colour) {
    const length = KILOMETRE * view.scale;
    context.strokeStyle = colour;
    context.fillStyle = colour;
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(10, view.height - 10);
    context.lineTo(10 + length, view.height - 10);
    context.stroke();
    context.font = "12px system-ui, sans-serif";
    context.fillText("1 km", 10, view.height - 15);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {View} view
   * @param {Order} order
   * @param {Lifecycle} rules
   * @param {number} at
   * @param {(name: string) => string} colour
   */
  #drawOrder(context, view, order, rules, at, colour) {
    const door = this.#doors.get(order.orderId);
    if (door === undefined) return;
    const level = urgency(order, rules, at);
    const since = untouched(order, at);
    if (level === "final" && since > FADES) return;
    const { x, y } = project(view, door);
    context.globalAlpha = level === "final" ? 1 - Math.max(0, since) / FADES : 1;
    drawMark(context, order.state, x, y, colour(COLOURS[order.state] ?? "--ink"));
    if (level === "late") {
      context.strokeStyle = colour("--late");
      context.lineWidth = 3;
      context.beginPath();
      context.arc(x, y, 11, 0, 2 * Math.PI);
      context.stroke();
    }
    context.globalAlpha = 1;
    this.#drawn.push({ id: order.orderId, x, y });
  }
}

/** @param {View} view @param {Point} point */
const project = (view, { x, y }) => ({
  x: view.left + (x - view.x) * view.scale,
  y: view.height - view.top - (y - view.y) * view.scale, // north is above
});

/**
 * The mark of a state: its shape says the same as its colour.
 * @param {CanvasRenderingContext2D} context
 * @param {string} state
 * @param {number} x
 * @param {number} y
 * @param {string} colour
 */
export function drawMark(context, state, x, y, colour) {
  context.strokeStyle = colour;
  context.fillStyle = colour;
  context.lineWidth = 2.5;
  context.beginPath();
  if (state === "waiting_for_shipper") {
    context.arc(x, y, 5, 0, 2 * Math.PI);
    context.stroke();
  } else if (state === "preparing") {
    context.fillRect(x - 5, y - 5, 10, 10);
  } else if (state === "on_the_way") {
    context.moveTo(x, y - 7);
    context.lineTo(x + 6.5, y + 5);
    context.lineTo(x - 6.5, y + 5);
    context.fill();
  } else if (state === "delivered") {
    context.moveTo(x - 4, y);
    context.lineTo(x - 1, y + 3.5);
    context.lineTo(x + 5, y - 4);
    context.stroke();
  } else {
    context.moveTo(x - 4, y - 4);
    context.lineTo(x + 4, y + 4);
    context.moveTo(x + 4, y - 4);
    context.lineTo(x - 4, y + 4);
    context.stroke();
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {(Point & {to: Point | null}) | null} place
 * @param {(name: string) => string} colour
 */
function drawCourier(context, view, place, colour) {
  if (place === null) return;
  const { x, y } = project(view, place);
  if (place.to !== null) {
    const to = project(view, place.to);
    context.strokeStyle = colour("--quiet");
    context.lineWidth = 1;
    context.setLineDash([3, 4]);
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(to.x, to.y);
    context.stroke();
    context.setLineDash([]);
  }
  drawDiamond(context, x, y, colour("--ink"), place.to !== null);
}

/**
 * The mark of a courier, which is full on a way.
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {string} colour
 * @param {boolean} isMoving
 */
export function drawDiamond(context, x, y, colour, isMoving) {
  context.fillStyle = colour;
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.beginPath();
  for (const [dx, dy] of [
    [0, -5.5],
    [5.5, 0],
    [0, 5.5],
    [-5.5, 0],
  ]) {
    context.lineTo(x + (dx ?? 0), y + (dy ?? 0));
  }
  context.closePath();
  if (isMoving) context.fill();
  else context.stroke();
}

/**
 * The mark of a restaurant.
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {string} colour
 */
export function drawRestaurant(context, x, y, colour) {
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.strokeRect(x - 3, y - 3, 6, 6);
}
