/** A browser's `EventSource` and a clock, in the hand of a test. */

import type { Timers } from '../../src/live/index.js';

const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 2;

/** What a test does to it is what a server and a network would do. */
export class FakeSource extends EventTarget {
    readyState = CONNECTING;

    constructor(readonly url: string) {
        super();
    }

    close(): void {
        this.readyState = CLOSED;
    }

    /** An answer with status 200. */
    answers(): void {
        this.readyState = OPEN;
        this.dispatchEvent(new Event('open'));
    }

    /** An event of the stream. */
    sends(name: string, data: unknown, lastEventId = ''): void {
        this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data), lastEventId }));
    }

    /** The connection is lost: the browser tries again by itself. */
    loses(): void {
        this.readyState = CONNECTING;
        this.dispatchEvent(new Event('error'));
    }

    /** Any answer but a 200: the browser gives up, and does not say why. */
    isRefused(): void {
        this.readyState = CLOSED;
        this.dispatchEvent(new Event('error'));
    }
}

export class FakeTimers implements Timers {
    readonly waiting: { milliseconds: number; callback: () => void }[] = [];

    after(milliseconds: number, callback: () => void): () => void {
        const wait = { milliseconds, callback };
        this.waiting.push(wait);
        return () => {
            this.waiting.splice(this.waiting.indexOf(wait), 1);
        };
    }

    /** Lets the only wait pass, and says how long it was. */
    pass(): number {
        const wait = this.waiting.shift();
        if (wait === undefined || this.waiting.length > 0) {
            throw new Error('not one wait');
        }
        wait.callback();
        return wait.milliseconds;
    }
}

/** Lets what was promised come true. */
export async function settled(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
}
