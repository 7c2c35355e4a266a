"""Places an order once, however often it has to be sent.

place-order.py NUMBER PRODUCT QUANTITY: the number is that of the order in your own books.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request


def place_order(number: str, product: str, quantity: int) -> dict:
    request = urllib.request.Request(
        "https://partner.example/v1/orders",
        data=json.dumps({"lines": [{"productId": product, "quantity": quantity}]}).encode(),
        headers={
            "Authorization": f"Bearer {os.environ['TRIFRONT_KEY']}",
            "Content-Type": "application/json",
            "Idempotency-Key": f'"{number}"',
        },
    )
    for attempt in range(5):
        wait = 2**attempt
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            problem = json.load(refusal)
            may_repeat = refusal.code in (408, 429) or refusal.code >= 500
            if not may_repeat and problem["code"] != "idempotency-in-flight":
                raise RuntimeError(f"{problem['code']} ({problem['requestId']})") from refusal
            wait = int(refusal.headers.get("Retry-After", wait))
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            pass  # Nobody knows whether it arrived. The key finds out.
        time.sleep(wait)
    raise RuntimeError(f"order {number} may have been placed or not; send it again later")


order = place_order(sys.argv[1], sys.argv[2], int(sys.argv[3]))
print(order["id"], order["total"]["amount"], order["total"]["currency"])
