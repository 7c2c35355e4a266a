"""Decides by the code of a problem what to do; codes never change their meaning, texts may.

read-a-problem.py PRODUCT
"""

import json
import os
import sys
import urllib.error
import urllib.request

product = sys.argv[1]
request = urllib.request.Request(
    "https://partner.example/v1/orders",
    data=json.dumps({"lines": [{"productId": product, "quantity": 1}]}).encode(),
    headers={
        "Authorization": f"Bearer {os.environ['TRIFRONT_KEY']}",
        "Content-Type": "application/json",
        "Idempotency-Key": f'"try-{product}"',
    },
)
try:
    with urllib.request.urlopen(request, timeout=10) as answer:
        print("ordered:", json.load(answer)["id"])
except urllib.error.HTTPError as refusal:
    problem = json.load(refusal)
    match problem["code"]:
        case "order-not-accepted":
            print("not for sale:", product)
        case "validation-failed":
            print("our own mistake:", [error["field"] for error in problem["errors"]])
        case "rate-limited" | "overloaded" | "downstream-unavailable" | "downstream-timeout" | "downstream-error":
            print("later")
        case _:
            print("ask support about", problem["requestId"])
