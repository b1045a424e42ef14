// The facts of one order, and its lines.

import { h } from "./dom.js";
import { dateTime, money, words } from "./format.js";

/** @typedef {import("./types.js").Order} Order */

/** All that is known of an order, without its events. @param {Order} order */
export function facts(order) {
  const where = order.address
    ? [
        order.address.street,
        [order.address.postalCode, order.address.city].filter(Boolean).join(" "),
        order.address.note,
      ]
    : [];
  /** @type {[string, string][]} */
  const rows = [
    ["Customer", [order.userId, order.customerName].filter(Boolean).join(", ")],
    ["Telephone", order.customerPhone ?? ""],
    ["Note", order.note ?? ""],
    ["Restaurant", order.restaurantId],
    ["Shipper", order.shipperId ?? "none"],
    ["Payment", `${words(order.paymentMethod ?? "")}, ${order.paymentStatus}`],
    ...refunds(order),
    ["Address", where.filter(Boolean).join(", ")],
    ["Ordered", dateTime(order.createdAt)],
    ["Expected", dateTime(order.estimatedAt)],
    [
      "Delivered",
      order.deliveredAt === null ? "" : `${dateTime(order.deliveredAt)}, after ${order.deliveryMinutes} min`,
    ],
    ["Cancelled", order.cancelReason === null ? "" : `${order.cancelReason} (by ${order.cancelledBy})`],
    ...Object.entries(order.metadata ?? {}),
    ["Version", String(order.version)],
  ];
  return [
    h(
      "dl",
      null,
      rows.filter(([, value]) => value !== "").flatMap(([name, value]) => [h("dt", null, name), h("dd", null, value)]),
    ),
    h(
      "table",
      { class: "lines" },
      h(
        "thead",
        null,
        h("tr", null, h("th", { scope: "col" }, "Food"), h("th", { scope: "col", class: "n" }, "Price")),
      ),
      h(
        "tbody",
        null,
        order.orderDetails.map((line) =>
          h(
            "tr",
            null,
            h(
              "td",
              null,
              `${line.quantity} × ${line.foodName}`,
              line.discount > 0 && h("span", { class: "quiet" }, ` less ${money(line.discount, order.currency)}`),
            ),
            h("td", { class: "n" }, money(line.price, order.currency)),
          ),
        ),
        order.deliveryFee
          ? h("tr", null, h("td", null, "Delivery"), h("td", { class: "n" }, money(order.deliveryFee, order.currency)))
          : null,
      ),
      h(
        "tfoot",
        null,
        h(
          "tr",
          null,
          h("th", { scope: "row" }, "Total"),
          h("td", { class: "n" }, money(order.totalPrice, order.currency)),
        ),
      ),
    ),
  ];
}

/** @param {Order} order @returns {[string, string][]} */
function refunds(order) {
  const amounts = { asked: order.refundRequested, declined: order.refundDeclined, "paid back": order.refunded };
  const said = Object.entries(amounts)
    .filter(([, amount]) => amount > 0)
    .map(([what, amount]) => `${money(amount, order.currency)} ${what === "asked" ? "asked for" : what}`);
  return said.length === 0 ? [] : [["Refund", said.join(", ")]];
}
