"""Prints the ids of all of your orders, while others are placed."""

import json
import os
import urllib.parse
import urllib.request
from collections.abc import Iterator


def all_orders() -> Iterator[dict]:
    cursor = ""
    while cursor is not None:
        query = urllib.parse.urlencode({"cursor": cursor, "size": 100})
        request = urllib.request.Request(
            f"https://partner.example/v1/orders?{query}",
            headers={"Authorization": f"Bearer {os.environ['TRIFRONT_KEY']}"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            stretch = json.load(answer)
        yield from stretch["content"]
        cursor = stretch.get("nextCursor")


for order in all_orders():
    print(order["id"])
