// Places several orders in one call, and tells what became of each.
//   bulk-orders NUMBER NUMBER…: the numbers are those of the orders in your own books.

interface Result {
  idempotencyKey?: string;
  status: number;
  replayed?: boolean;
  order?: { id: string };
  problem?: { code: string };
}

const lines = [{ productId: "SKU-00001", quantity: 1 }];
const answer = await fetch("https://partner.example/v1/orders/bulk", {
  method: "POST",
  headers: { Authorization: `Bearer ${process.env["TRIFRONT_KEY"]}`, "Content-Type": "application/json" },
  body: JSON.stringify({
    orders: process.argv.slice(2).map((number) => ({ idempotencyKey: number, lines })),
  }),
});
if (!answer.ok) throw new Error(await answer.text());
const { results } = (await answer.json()) as { results: Result[] };
for (const { idempotencyKey, order, problem, replayed } of results) {
  if (order) console.log(idempotencyKey, order.id, replayed ? "again" : "new");
  else console.log(idempotencyKey, problem?.code);
}
