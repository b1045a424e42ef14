// Asks for a refund: of all that is left, of the lines of one food, or of another amount; why, and who bears it.

import { money, words } from "./format.js";

/** @typedef {import("./types.js").Order} Order */

const BEARERS = ["restaurant", "courier", "platform"];
const ALL = "all";
const AMOUNT = "amount";
const FOOD = "food ";

/**
 * What the dialog asks.
 * @param {Order} order
 * @param {string} role restaurants refund only what they bear themselves
 * @returns {import("./dialog.js").Field[]}
 */
export function refundFields(order, role) {
  const foods = [...new Set(order.orderDetails.map(({ foodId }) => foodId))].map((foodId) => {
    const lines = order.orderDetails.filter((line) => line.foodId === foodId);
    const sum = lines.reduce((total, line) => total + line.price * line.quantity - line.discount, 0);
    const quantity = lines.reduce((total, line) => total + line.quantity, 0);
    return { value: FOOD + foodId, label: `${quantity} × ${lines[0]?.foodName}, ${money(sum, order.currency)}` };
  });
  const bearers = (role === "restaurant" ? ["restaurant"] : BEARERS).map((value) => ({ value, label: words(value) }));
  if (bearers.length > 1) bearers.unshift({ value: "", label: "Choose" });
  return [
    {
      name: "what",
      label: "What is refunded",
      options: [
        { value: ALL, label: `All that is left, ${money(order.refundable, order.currency)}` },
        ...foods,
        { value: AMOUNT, label: "Another amount" },
      ],
    },
    {
      name: "amount",
      label: `Amount in ${order.currency}`,
      hint: `At most ${money(order.refundable, order.currency)}.`,
      most: 30,
      decimal: true,
      when: { name: "what", is: AMOUNT },
    },
    { name: "reason", label: "Reason", long: true },
    { name: "borneBy", label: "Who bears it", options: bearers },
  ];
}

/**
 * The body of the request.
 * @param {Record<string, string>} values
 */
export function refundBody({ what = "", amount = "", reason = "", borneBy = "" }) {
  const body = { reason, borneBy };
  if (what.startsWith(FOOD)) return { ...body, foodId: what.slice(FOOD.length) };
  return what === AMOUNT ? { ...body, amount: Number(amount.replace(",", ".")) } : body;
}
