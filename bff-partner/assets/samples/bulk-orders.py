"""Places several orders in one call, and tells what became of each.

bulk-orders.py NUMBER NUMBER…: the numbers are those of the orders in your own books.
"""

import json
import os
import sys
import urllib.request


def place_orders(orders: list[dict]) -> list[dict]:
    request = urllib.request.Request(
        "https://partner.example/v1/orders/bulk",
        data=json.dumps({"orders": orders}).encode(),
        headers={"Authorization": f"Bearer {os.environ['TRIFRONT_KEY']}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["results"]


lines = [{"productId": "SKU-00001", "quantity": 1}]
for result in place_orders([{"idempotencyKey": number, "lines": lines} for number in sys.argv[1:]]):
    if "order" in result:
        print(result["idempotencyKey"], result["order"]["id"], "again" if result.get("replayed") else "new")
    else:
        print(result["idempotencyKey"], result["problem"]["code"])
