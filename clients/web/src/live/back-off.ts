/** Waits that grow from one failure to the next, and differ from client to client. */
export class BackOff {
    private failures = 0;

    constructor(
        private readonly leastMs: number,
        private readonly mostMs: number,
        private readonly random: () => number,
    ) {}

    /** The next wait in milliseconds: doubling, and between half and the whole of that by chance. */
    next(): number {
        const whole = Math.min(this.leastMs * 2 ** this.failures, this.mostMs);
        this.failures += 1;
        return Math.round(whole * (0.5 + this.random() / 2));
    }

    /** It went well. */
    reset(): void {
        this.failures = 0;
    }
}
