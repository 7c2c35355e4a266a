/** Waits that grow from one failure to the next, and differ from client to client. */
export class BackOff {
    leastMs;
    mostMs;
    random;
    failures = 0;
    constructor(leastMs, mostMs, random) {
        this.leastMs = leastMs;
        this.mostMs = mostMs;
        this.random = random;
    }
    /** The next wait in milliseconds: doubling, and between half and the whole of that by chance. */
    next() {
        const whole = Math.min(this.leastMs * 2 ** this.failures, this.mostMs);
        this.failures += 1;
        return Math.round(whole * (0.5 + this.random() / 2));
    }
    /** It went well. */
    reset() {
        this.failures = 0;
    }
}
