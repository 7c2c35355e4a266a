// Makes many calls and keeps to the limits of your plan.
//   keep-to-limits CALLS

const pause = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

async function get(path: string): Promise<Response> {
  for (;;) {
    const answer = await fetch(`https://partner.example${path}`, {
      headers: { Authorization: `Bearer ${process.env["TRIFRONT_KEY"]}` },
    });
    if (answer.status !== 429) return answer;
    // A refused call has cost nothing. Who comes back after this time is let in.
    await pause(Number(answer.headers.get("Retry-After")));
  }
}

for (let page = 0; page < Number(process.argv[2]); page++) {
  const answer = await get(`/v1/products?size=1&page=${page}`);
  console.log(answer.status, answer.headers.get("RateLimit"));
}
