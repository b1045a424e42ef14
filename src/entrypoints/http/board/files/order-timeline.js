// The events of an order: what happened, by whom, how long after the one before, and what each consumer made of it.

import { h } from "./dom.js";
import { dateTime, duration, money, stateName, words } from "./format.js";

/** @typedef {import("./types.js").TimelineEvent} TimelineEvent */
/** @typedef {import("./types.js").Notification} Notification */
/** @typedef {{at: string, exact: boolean, ms: number | null}} Step */
/** @typedef {{sequence: number, requested: Step | null, committed: Step | null, published: Step | null, record: {topic: string, partition: number, offset: number} | null, handled: ({consumer: string, state: string, effect?: string} & Partial<Step>)[]}} Trace */

/**
 * @param {TimelineEvent[]} events
 * @param {{traces: Map<number, Trace>, notifications: Notification[]}} effects
 * @param {string} currency
 */
export function timeline(events, { traces, notifications }, currency) {
  return h(
    "ol",
    { class: "timeline" },
    events.map((each, index) => {
      const before = events[index - 1];
      const waited = before === undefined ? 0 : Date.parse(each.event.occurredAt) - Date.parse(before.event.occurredAt);
      const trace = traces.get(each.sequence);
      return h(
        "li",
        null,
        h("strong", null, sentence(each, currency)),
        h(
          "span",
          { class: "quiet" },
          [
            dateTime(each.event.occurredAt),
            author(each),
            before === undefined ? "" : `${duration(waited)} after the event before`,
          ]
            .filter(Boolean)
            .join(" · "),
        ),
        trace !== undefined && steps(trace),
        notified(
          notifications.filter(({ sequence }) => sequence === each.sequence),
          trace?.committed?.at ?? null,
        ),
        raw(each),
      );
    }),
  );
}

/** The JSON is made when it is first opened. @param {TimelineEvent} each */
function raw(each) {
  const text = h("pre", { tabindex: 0 });
  return h(
    "details",
    {
      "data-key": each.sequence,
      ontoggle: () => {
        if (text.textContent === "") text.textContent = JSON.stringify(each.event, null, 2);
      },
    },
    h("summary", null, `${each.event.type}, event ${each.sequence} as published`),
    h(
      "p",
      { class: "quiet" },
      `bucket ${each.bucket}, position ${each.position}, correlation id ${each.correlationId || "none"}`,
    ),
    text,
  );
}

/** @param {Trace} trace */
function steps({ requested, committed, published, record, handled }) {
  /** @param {Partial<Step> | null} step */
  const after = (step) =>
    step?.ms === null || step?.ms === undefined || step.ms < 0 // the clocks differ by more
      ? ""
      : ` ${step.exact ? "" : "within "}${duration(step.ms)}`;
  return h(
    "ul",
    { class: "steps" },
    committed !== null && h("li", null, `committed${requested === null ? "" : after(committed)}`),
    published !== null &&
      h(
        "li",
        null,
        `on the topic${after(published)}${record === null ? "" : `, ${record.topic}/${record.partition}@${record.offset}`}`,
      ),
    handled.map((each) => h("li", { "data-state": each.state }, `${each.consumer}: ${verdict(each)}${after(each)}`)),
  );
}

/** The result of a consumer's handling, without the notifications, which are listed by themselves. @param {{consumer: string, state: string, effect?: string}} handling */
function verdict({ consumer, state, effect = "" }) {
  if (state !== "handled") return effect === "" ? state : `${state}, ${effect}`;
  if (consumer === "notifications" || effect === "") return consumer === "analytics" ? "counted" : "handled";
  return effect;
}

/**
 * The notifications about an event, and when they were sent; the text is there when it is opened.
 * @param {Notification[]} notifications
 * @param {string | null} committedAt
 */
function notified(notifications, committedAt) {
  if (notifications.length === 0) return null;
  return h(
    "ul",
    { class: "notified" },
    notifications.map((each) =>
      h(
        "li",
        { "data-state": each.status },
        h(
          "details",
          { "data-key": `${each.sequence} ${each.recipient} ${each.channel}` },
          h("summary", null, `${each.recipient} ${outcome(each, committedAt)}`),
          h("p", null, each.subject),
          h("p", { class: "quiet" }, each.text),
          each.detail !== "" && h("p", { class: "quiet" }, each.detail),
        ),
      ),
    ),
  );
}

/** @param {Notification} notification @param {string | null} committedAt */
function outcome({ channel, status, attempts, dueAt, sentAt }, committedAt) {
  const tries = attempts > 1 ? `, ${attempts} attempts` : "";
  switch (status) {
    case "sent": {
      const after = committedAt === null || sentAt === null ? -1 : Date.parse(sentAt) - Date.parse(committedAt);
      return `sent by ${channel}, ${after < 0 ? dateTime(sentAt) : `${duration(after)} after the commit`}${tries}`;
    }
    case "pending":
      return `not sent yet, by ${channel}${dueAt === null ? "" : `, due ${dateTime(dueAt)}`}${tries}`;
    case "unreachable":
      return "not sent: there is no address";
    default:
      return `not sent by ${channel}: ${words(status).toLowerCase()}${tries}`;
  }
}

/** @param {TimelineEvent} each @param {string} currency */
function sentence({ event: { type, data } }, currency) {
  switch (type) {
    case "order.created":
      return `Ordered for ${money(data.totalPrice, currency)}`;
    case "order.state_changed":
      return `${stateName(data.oldState)} → ${stateName(data.newState)}`;
    case "order.payment_processed":
      return data.refund === undefined
        ? `Payment of ${money(data.amount, currency)}: ${data.paymentStatus}`
        : `Refund of ${money(data.amount, currency)}: ${refundStep(data)}`;
    case "order.shipper_assigned":
      return `Shipper ${data.shipperId} assigned`;
    case "order.cancelled":
      return `Cancelled: ${data.reason}`;
    case "order.delivered":
      return `Delivered by ${data.shipperId}, ${data.deliveryTime} min after the order`;
    default:
      return words(type);
  }
}

/** @param {Record<string, any>} data */
function refundStep({ refund, reason, borneBy }) {
  return [words(refund).toLowerCase(), reason, borneBy && `borne by ${borneBy}`].filter(Boolean).join(", ");
}

/** @param {TimelineEvent} each */
function author({ event: { data } }) {
  const by = data.updatedBy ?? data.assignedBy ?? data.cancelledBy ?? data.requestedBy ?? data.createdBy;
  return by ? `by ${by}` : "";
}
