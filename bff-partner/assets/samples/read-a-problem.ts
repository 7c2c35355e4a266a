// Decides by the code of a problem what to do; codes never change their meaning, texts may.
//   read-a-problem PRODUCT

interface Problem {
  code: string;
  requestId: string;
  errors?: { field: string; detail: string }[];
}

const [productId = ""] = process.argv.slice(2);
const answer = await fetch("https://partner.example/v1/orders", {
  method: "POST",
  headers: {
    Authorization: `Bearer ${process.env["TRIFRONT_KEY"]}`,
    "Content-Type": "application/json",
    "Idempotency-Key": `"try-${productId}"`,
  },
  body: JSON.stringify({ lines: [{ productId, quantity: 1 }] }),
});
if (answer.ok) {
  console.log("ordered:", ((await answer.json()) as { id: string }).id);
} else {
  const problem = (await answer.json()) as Problem;
  switch (problem.code) {
    case "order-not-accepted":
      console.log("not for sale:", productId);
      break;
    case "validation-failed":
      console.log("our own mistake:", problem.errors?.map((error) => error.field));
      break;
    case "rate-limited":
    case "overloaded":
    case "downstream-unavailable":
    case "downstream-timeout":
    case "downstream-error":
      console.log("later");
      break;
    default:
      console.log("ask support about", problem.requestId);
  }
}
