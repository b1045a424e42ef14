// The shapes of the API's responses that the board uses, for the type checker. There is nothing to run here.

/**
 * @typedef {object} SessionView
 * @property {string | null} actor
 * @property {"customer" | "restaurant" | "shipper" | "admin" | null} role
 * @property {string | null} id
 * @property {string | null} csrfToken
 * @property {boolean} development
 * @property {boolean} availableOrders
 * @property {string} time
 * @property {boolean} day a simulated day can be watched
 */

/**
 * @typedef {object} DayClock
 * @property {string} time
 * @property {number | null} speed
 * @property {boolean} paused
 * @property {boolean} isOver
 * @property {number} steps
 * @property {number} planned
 * @property {string[]} left
 */

/** @typedef {{id: string, x: number, y: number}} Place */
/** @typedef {{begins: number, ends: number, x1: number, y1: number, x2: number, y2: number}} Leg */
/** @typedef {Place & {on: number, off: number, legs: Leg[]}} Courier */

/**
 * @typedef {object} Day
 * @property {string} name
 * @property {string} midnight
 * @property {Place[]} restaurants
 * @property {Place[]} orders
 * @property {Courier[]} couriers
 */

/**
 * @typedef {object} Order
 * @property {string} orderId
 * @property {number} version
 * @property {string} state
 * @property {string} userId
 * @property {string} restaurantId
 * @property {string | null} shipperId
 * @property {{foodId: string, foodName: string, price: number, quantity: number, discount: number}[]} orderDetails
 * @property {number} totalPrice
 * @property {number} [deliveryFee]
 * @property {string} currency
 * @property {string} [paymentMethod]
 * @property {string} paymentStatus
 * @property {{street: string, city: string, postalCode: string, note: string} | null} [address]
 * @property {string | null} [customerName]
 * @property {string | null} [customerPhone]
 * @property {string | null} [note]
 * @property {Record<string, string> | null} [metadata]
 * @property {number} refundable
 * @property {number} refundRequested
 * @property {number} refundDeclined
 * @property {number} refunded
 * @property {string} createdAt
 * @property {string} updatedAt
 * @property {string | null} [estimatedAt]
 * @property {string | null} deliveredAt
 * @property {number | null} deliveryMinutes
 * @property {string | null} cancelReason
 * @property {string | null} cancelledBy
 */

/**
 * @typedef {object} Lifecycle
 * @property {{state: string, final: boolean, limitSeconds: number | null}[]} states
 * @property {{source: string, target: string, by: Record<string, string>, guard: string | null}[]} transitions
 */

/**
 * @typedef {object} Action
 * @property {string} name
 * @property {boolean} allowed
 * @property {string[]} needs
 * @property {string} guard
 * @property {string} unlock
 */

/**
 * @typedef {object} TimelineEvent
 * @property {number} sequence
 * @property {number} bucket
 * @property {number} position
 * @property {string} correlationId
 * @property {{id: string, type: string, orderId: string, userId: string, data: Record<string, any>, occurredAt: string, version: string}} event
 */

/**
 * @typedef {object} Notification
 * @property {number} sequence
 * @property {string} recipient
 * @property {string} channel
 * @property {string} subject
 * @property {string} text
 * @property {string} status
 * @property {number} attempts
 * @property {string} recordedAt
 * @property {string | null} dueAt
 * @property {string | null} sentAt
 * @property {string} detail
 */

export {};
