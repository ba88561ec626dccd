"""Counts primes: small tasks without any data to fetch, to try a cluster with."""

from warrener import App, PermanentError

app = App()


@app.task(retries=3, timeout=60)
def primes(below: int) -> int:
    if below < 0:
        raise PermanentError(f"there are no numbers below {below} to look at")
    sieve = bytearray([1]) * below
    sieve[:2] = bytes(min(below, 2))
    for number in range(2, int(below**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, below, number)))
    return sum(sieve)
