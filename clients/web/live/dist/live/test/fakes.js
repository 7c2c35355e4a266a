/** A browser's `EventSource` and a clock, in the hand of a test. */
const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 2;
/** What a test does to it is what a server and a network would do. */
export class FakeSource extends EventTarget {
    url;
    readyState = CONNECTING;
    constructor(url) {
        super();
        this.url = url;
    }
    close() {
        this.readyState = CLOSED;
    }
    /** An answer with status 200. */
    answers() {
        this.readyState = OPEN;
        this.dispatchEvent(new Event('open'));
    }
    /** An event of the stream. */
    sends(name, data, lastEventId = '') {
        this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data), lastEventId }));
    }
    /** The connection is lost: the browser tries again by itself. */
    loses() {
        this.readyState = CONNECTING;
        this.dispatchEvent(new Event('error'));
    }
    /** Any answer but a 200: the browser gives up, and does not say why. */
    isRefused() {
        this.readyState = CLOSED;
        this.dispatchEvent(new Event('error'));
    }
}
export class FakeTimers {
    waiting = [];
    after(milliseconds, callback) {
        const wait = { milliseconds, callback };
        this.waiting.push(wait);
        return () => {
            this.waiting.splice(this.waiting.indexOf(wait), 1);
        };
    }
    /** Lets the only wait pass, and says how long it was. */
    pass() {
        const wait = this.waiting.shift();
        if (wait === undefined || this.waiting.length > 0) {
            throw new Error('not one wait');
        }
        wait.callback();
        return wait.milliseconds;
    }
}
/** Lets what was promised come true. */
export async function settled() {
    await new Promise((resolve) => setImmediate(resolve));
}
