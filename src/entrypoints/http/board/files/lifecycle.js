// The rules that the server tells: the states, their transitions, and how long an order may stay in each.

import { call } from "./api.js";
import { age } from "./format.js";

/** @typedef {import("./types.js").Lifecycle} Lifecycle */
/** @typedef {import("./types.js").Order} Order */
/** @typedef {"late" | "soon" | "fine" | "final"} Urgency */

/** The part of its limit after which an order will be late soon. */
const SOON = 2 / 3;

/** @type {Promise<Lifecycle> | null} */
let reading = null;

/** @returns {Promise<Lifecycle>} */
export function lifecycle() {
  reading ??= call("v1/lifecycle").catch((error) => {
    reading = null; // the next one asks again
    throw error;
  });
  return reading;
}

/** The times of an order in milliseconds, by the order as it was received. @type {WeakMap<Order, {updated: number, estimated: number}>} */
const times = new WeakMap();

/** @param {Order} order */
function timesOf(order) {
  let found = times.get(order);
  if (found === undefined) {
    found = { updated: Date.parse(order.updatedAt), estimated: Date.parse(order.estimatedAt ?? "") };
    times.set(order, found);
  }
  return found;
}

/**
 * How long the order has not changed, in milliseconds; an order that has ended does not grow older.
 * @param {Order} order
 * @param {number} at
 */
export const untouched = (order, at) => at - timesOf(order).updated;

/**
 * @param {Order} order
 * @param {Lifecycle} rules
 * @param {number} at
 * @returns {Urgency}
 */
export function urgency(order, rules, at) {
  const rule = rules.states.find(({ state }) => state === order.state);
  if (rule === undefined || rule.final || rule.limitSeconds === null) return "final";
  const used = untouched(order, at) / (rule.limitSeconds * 1000);
  if (used > 1 || isPastEstimate(order, at)) return "late";
  return used > SOON ? "soon" : "fine";
}

/**
 * @param {Order} order
 * @param {number} at
 */
const isPastEstimate = (order, at) =>
  order.deliveredAt === null && timesOf(order).estimated < at; // without an estimate it is not a number

/**
 * Why an order is late, for a person.
 * @param {Order} order
 * @param {Lifecycle} rules
 * @param {number} at
 */
export function whyLate(order, rules, at) {
  if (isPastEstimate(order, at)) return `${age(at - timesOf(order).estimated)} past estimate`;
  const limit = rules.states.find(({ state }) => state === order.state)?.limitSeconds ?? 0;
  return `over the ${age(limit * 1000)} limit`;
}
