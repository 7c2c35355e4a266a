"""Makes many calls and keeps to the limits of your plan.

keep-to-limits.py CALLS
"""

import os
import sys
import time
import urllib.error
import urllib.request


def get(path: str) -> tuple[int, str]:
    request = urllib.request.Request(
        f"https://partner.example{path}",
        headers={"Authorization": f"Bearer {os.environ['TRIFRONT_KEY']}"},
    )
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.headers["RateLimit"]
        except urllib.error.HTTPError as refusal:
            if refusal.code != 429:
                raise
            # A refused call has cost nothing. Who comes back after this time is let in.
            time.sleep(int(refusal.headers["Retry-After"]))


for page in range(int(sys.argv[1])):
    status, left = get(f"/v1/products?size=1&page={page}")
    print(status, left)
