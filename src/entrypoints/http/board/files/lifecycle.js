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

/**
 * How long the order has not changed, in milliseconds; an order that has ended does not grow older.
 * @param {Order} order
 * @param {number} at
 */
export const untouched = (order, at) => at - Date.parse(order.updatedAt);

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
export const isPastEstimate = (order, at) =>
  Boolean(order.estimatedAt) && order.deliveredAt === null && Date.parse(order.estimatedAt ?? "") < at;

/**
 * Why an order is late, for a person.
 * @param {Order} order
 * @param {Lifecycle} rules
 * @param {number} at
 */
export function whyLate(order, rules, at) {
  if (isPastEstimate(order, at)) return `${age(at - Date.parse(order.estimatedAt ?? ""))} past estimate`;
  const limit = rules.states.find(({ state }) => state === order.state)?.limitSeconds ?? 0;
  return `over the ${age(limit * 1000)} limit`;
}
