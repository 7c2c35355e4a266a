/**
 * Server-sent events of the BFF, for as long as the session lasts.
 *
 * The browser's own `EventSource` comes back by itself while it finds nobody, and says in a header which event it saw last.
 * It does not come back after any answer but a 200, and a script does not learn which answer that was. So what is left to do
 * here is to find out whether the session has ended, and otherwise to make a new `EventSource` after a while. The
 * constructor takes no header, so the last id goes into the query.
 */

import { BackOff } from './back-off.js';
import { askForSession, type SessionState } from './session.js';
import { systemTimers, type Timers } from './timers.js';

export type { SessionState } from './session.js';

/** Where the stream stands: on its way, open, not now, or over. */
export type LiveState = 'connecting' | 'open' | 'waiting' | 'ended' | 'closed';

export interface LiveEventsOptions {
    /** The address, such as `/api/v2/notifications/stream`. */
    url: string;
    /** The last event that the page knows of, as its data said. Without it, the stream begins with what happens next. */
    lastEventId?: string;
    /** The names of the events to listen for. */
    names: readonly string[];
    /** An event, once and in order. `data` is parsed JSON. */
    onEvent(name: string, data: unknown, id: string): void;
    /** Events are missing: load afresh what the page shows. The stream goes on. */
    onGap(): void;
    /** The session has ended, with the reason where it is known; the stream is closed for good. */
    onSessionEnded(reason: string): void;
    /** For an indicator in the page. */
    onState?(state: LiveState): void;
    /** Least and most milliseconds until a new `EventSource` is made; 1,000 and 60,000 unless given. */
    backOffMs?: { least: number; most: number };
    /** Finds out whether the session has ended; asks `/api/auth/session` unless given. */
    session?(): Promise<SessionState>;
    /** Makes an `EventSource`; for tests. */
    eventSource?(url: string): EventSource;
    /** For tests. */
    timers?: Timers;
    /** From 0 to 1; for tests. */
    random?(): number;
}

/** `EventSource.CLOSED`, which is not there where there is no browser. */
const CLOSED = 2;

export class LiveEvents {
    private readonly backOff: BackOff;
    private readonly timers: Timers;
    private lastEventId: string;
    private source: EventSource | undefined;
    private cancelWait: (() => void) | undefined;
    private over = false;

    /** Connects at once. */
    constructor(private readonly options: LiveEventsOptions) {
        const { least, most } = options.backOffMs ?? { least: 1_000, most: 60_000 };
        this.backOff = new BackOff(least, most, options.random ?? Math.random);
        this.timers = options.timers ?? systemTimers;
        this.lastEventId = options.lastEventId ?? '';
        this.connect();
    }

    /** Closes it. Nothing is called back any more. */
    close(): void {
        this.finish('closed');
    }

    private connect(): void {
        const source = this.options.eventSource?.(this.address()) ?? new EventSource(this.address());
        this.source = source;
        this.say('connecting');
        const listen = (name: string, take: (event: MessageEvent<string>) => void): void =>
            source.addEventListener(name, (event) => {
                // What a former source still has to say comes from its own queue of events.
                if (this.source === source) {
                    take(event as MessageEvent<string>);
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

    private address(): string {
        if (this.lastEventId === '') {
            return this.options.url;
        }
        const joint = this.options.url.includes('?') ? '&' : '?';
        return `${this.options.url}${joint}lastEventId=${encodeURIComponent(this.lastEventId)}`;
    }

    private take(name: string, event: MessageEvent<string>): void {
        this.lastEventId = event.lastEventId;
        this.options.onEvent(name, parsed(event.data), event.lastEventId);
    }

    private failed(source: EventSource): void {
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
    private async findOut(): Promise<void> {
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

    private end(reason: string): void {
        this.finish('ended');
        this.options.onSessionEnded(reason);
    }

    private finish(state: LiveState): void {
        if (this.over) {
            return;
        }
        this.over = true;
        this.source?.close();
        this.source = undefined;
        this.cancelWait?.();
        this.say(state);
    }

    private say(state: LiveState): void {
        this.options.onState?.(state);
    }
}

function parsed(data: string): unknown {
    try {
        return JSON.parse(data);
    } catch {
        return data;
    }
}

function reasonOf(event: MessageEvent<string>): string {
    const data = parsed(event.data);
    const reason = typeof data === 'object' && data !== null && 'reason' in data ? data.reason : undefined;
    return typeof reason === 'string' ? reason : 'unknown';
}
