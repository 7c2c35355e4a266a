// Prints the ids of all of your orders, while others are placed.

interface Stretch {
  content: { id: string }[];
  nextCursor?: string;
  hasMore: boolean;
}

async function* allOrders(): AsyncGenerator<{ id: string }> {
  let cursor: string | undefined = "";
  while (cursor !== undefined) {
    const query: string = new URLSearchParams({ cursor, size: "100" }).toString();
    const answer: Response = await fetch(`https://partner.example/v1/orders?${query}`, {
      headers: { Authorization: `Bearer ${process.env["TRIFRONT_KEY"]}` },
    });
    if (!answer.ok) throw new Error(await answer.text());
    const stretch = (await answer.json()) as Stretch;
    yield* stretch.content;
    cursor = stretch.nextCursor;
  }
}

for await (const order of allOrders()) console.log(order.id);
