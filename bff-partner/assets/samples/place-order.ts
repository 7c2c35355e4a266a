// Places an order once, however often it has to be sent.
//   place-order NUMBER PRODUCT QUANTITY: the number is that of the order in your own books.

interface Order {
  id: string;
  total: { amount: string; currency: string };
}

interface Problem {
  code: string;
  requestId: string;
}

const pause = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

async function placeOrder(number: string, productId: string, quantity: number): Promise<Order> {
  const call = {
    method: "POST",
    headers: {
      Authorization: `Bearer ${process.env["TRIFRONT_KEY"]}`,
      "Content-Type": "application/json",
      "Idempotency-Key": `"${number}"`,
    },
    body: JSON.stringify({ lines: [{ productId, quantity }] }),
  };
  for (let attempt = 0; attempt < 5; attempt++) {
    let wait = 2 ** attempt;
    // A call that fails here may have arrived or not. The key finds out.
    const answer = await fetch("https://partner.example/v1/orders", {
      ...call,
      signal: AbortSignal.timeout(10_000),
    }).catch(() => undefined);
    if (answer?.ok) return (await answer.json()) as Order;
    if (answer) {
      const problem = (await answer.json()) as Problem;
      const mayRepeat = answer.status === 408 || answer.status === 429 || answer.status >= 500;
      if (!mayRepeat && problem.code !== "idempotency-in-flight") {
        throw new Error(`${problem.code} (${problem.requestId})`);
      }
      wait = Number(answer.headers.get("Retry-After") ?? wait);
    }
    await pause(wait);
  }
  throw new Error(`order ${number} may have been placed or not; send it again later`);
}

const [number = "", product = "", quantity = ""] = process.argv.slice(2);
const order = await placeOrder(number, product, Number(quantity));
console.log(order.id, order.total.amount, order.total.currency);
