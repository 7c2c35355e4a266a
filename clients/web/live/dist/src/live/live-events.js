/**
 * Server-sent events of the BFF, for as long as the session lasts.
 *
 * The browser's own `EventSource` comes back by itself while it finds nobody, and says in a header which event it saw last.
 * It does not come back after any answer but a 200, and a script does not learn which answer that was. So what is left to do
 * here is to find out whether the session has ended, and otherwise to make a new `EventSource` after a while. The
 * constructor takes no header, so the last id goes into the query.
 */
import { BackOff } from './back-off.js';
import { askForSession } from './session.js';
import { systemTimers } from './timers.js';
/** `EventSource.CLOSED`, which is not there where there is no browser. */
const CLOSED = 2;
export class LiveEvents {
    options;
    backOff;
    timers;
    lastEventId;
    source;
    cancelWait;
    over = false;
    /** Connects at once. */
    constructor(options) {
        this.options = options;
        const { least, most } = options.backOffMs ?? { least: 1_000, most: 60_000 };
        this.backOff = new BackOff(least, most, options.random ?? Math.random);
        this.timers = options.timers ?? systemTimers;
        this.lastEventId = options.lastEventId ?? '';
        this.connect();
    }
    /** Closes it. Nothing is called back any more. */
    close() {
        this.finish('closed');
    }
    connect() {
        const source = this.options.eventSource?.(this.address()) ?? new EventSource(this.address());
        this.source = source;
        this.say('connecting');
        const listen = (name, take) => source.addEventListener(name, (event) => {
            // What a former source still has to say comes from its own queue of events.
            if (this.source === source) {
                take(event);
            }
        });
        listen('open', () => {
            this.backOff.reset();
            this.say('open');
        });
        listen('error', () => this.failed(source));
        listen('gap', (event) => {
            this.lastEventId = event.lastEventId;
            this.options.onGap();
        });
        // The server ends the stream after this, and the browser comes back when it was told to.
        listen('try-later', () => this.say('waiting'));
        listen('session-ended', (event) => this.end(reasonOf(event)));
        for (const name of this.options.names) {
            listen(name, (event) => this.take(name, event));
        }
    }
    address() {
        if (this.lastEventId === '') {
            return this.options.url;
        }
        const joint = this.options.url.includes('?') ? '&' : '?';
        return `${this.options.url}${joint}lastEventId=${encodeURIComponent(this.lastEventId)}`;
    }
    take(name, event) {
        this.lastEventId = event.lastEventId;
        this.options.onEvent(name, parsed(event.data), event.lastEventId);
    }
    failed(source) {
        if (source.readyState !== CLOSED) {
            // The browser comes back by itself.
            this.say('connecting');
            return;
        }
        this.source = undefined;
        this.say('waiting');
        void this.findOut();
    }
    /** Whatever the answer was, what it means is in the session. */
    async findOut() {
        const session = await (this.options.session ?? askForSession)();
        if (this.over) {
            return;
        }
        if (session === 'ended') {
            this.end('unknown');
            return;
        }
        this.cancelWait = this.timers.after(this.backOff.next(), () => this.connect());
    }
    end(reason) {
        this.finish('ended');
        this.options.onSessionEnded(reason);
    }
    finish(state) {
        if (this.over) {
            return;
        }
        this.over = true;
        this.source?.close();
        this.source = undefined;
        this.cancelWait?.();
        this.say(state);
    }
    say(state) {
        this.options.onState?.(state);
    }
}
function parsed(data) {
    try {
        return JSON.parse(data);
    }
    catch {
        return data;
    }
}
function reasonOf(event) {
    const data = parsed(event.data);
    const reason = typeof data === 'object' && data !== null && 'reason' in data ? data.reason : undefined;
    return typeof reason === 'string' ? reason : 'unknown';
}
