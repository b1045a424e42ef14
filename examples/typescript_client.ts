// Place an order and follow it to the door, with types that are generated from the OpenAPI document.
//
//     npm install openapi-fetch openapi-typescript typescript @types/node
//     npx openapi-typescript docs/contract/openapi.json -o orderflow.ts
//     npx tsc --strict --module nodenext --target es2022 typescript_client.ts
//     node typescript_client.js http://127.0.0.1:8080 TOKEN
//
// TOKEN is that of an admin: orderflow tokens make --role admin --id me

import { randomUUID } from "node:crypto";

import createClient from "openapi-fetch";
import type { components, paths } from "./orderflow.js";

type Order = components["schemas"]["OrderView"];
type Problem = components["schemas"]["Problem"];

const [url = "", token = ""] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${token}` } });

function received<T>({ data, error }: { data?: T | undefined; error?: Problem | undefined }): T {
  if (data === undefined) throw new Error(error ? `${error.code}: ${error.detail}` : "no answer");
  return data;
}

const placed: Order = received(
  await client.POST("/v1/orders", {
    params: { header: { "Idempotency-Key": randomUUID() } },
    body: {
      userId: "C1",
      restaurantId: "R7",
      orderDetails: [{ foodId: "F1", foodName: "Pizza Margherita", price: 12.5, quantity: 2 }],
      totalPrice: 28,
      currency: "EUR",
      paymentMethod: "cash",
    },
  }),
);
const path = { order_id: placed.orderId };
console.log(`${placed.state}: ${placed.totalPrice} ${placed.currency}`);

const refused = await client.PATCH("/v1/orders/{order_id}/state", { params: { path }, body: { state: "on_the_way" } });
console.log(`${refused.response.status}: ${refused.error?.code}, allowed: ${refused.error?.allowed?.join(", ")}`);

received(await client.PUT("/v1/orders/{order_id}/shipper", { params: { path }, body: { shipperId: "S3" } }));
for (const state of ["on_the_way", "delivered"] as const) {
  received(await client.PATCH("/v1/orders/{order_id}/state", { params: { path }, body: { state } }));
}

const stream = received(await client.GET("/v1/orders/{order_id}/stream", { params: { path }, parseAs: "text" }));
const followed = stream.split("\n").filter((line) => line.startsWith("event: "));
console.log(followed.map((line) => line.slice("event: ".length)).join(" "));

const timeline = received(await client.GET("/v1/orders/{order_id}/timeline", { params: { path } }));
const last = timeline.events.at(-1);
console.log(`${last?.sequence}: ${last?.event.type} at ${last?.event.occurredAt}`);
