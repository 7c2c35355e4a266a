// The first call: one product. Your key is in the environment, as TRIFRONT_KEY.

const answer = await fetch("https://partner.example/v1/products?size=1", {
  headers: { Authorization: `Bearer ${process.env["TRIFRONT_KEY"]}` },
});
const page = (await answer.json()) as { content: { id: string; name: string }[] };
console.log(page.content[0]?.name);
