/** The wrapper, with the browser and the clock in the test's hand. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { LiveEvents, type LiveEventsOptions, type SessionState } from '../../src/live/index.js';
import { FakeSource, FakeTimers, settled } from './fakes.js';

class Page {
    readonly sources: FakeSource[] = [];
    readonly timers = new FakeTimers();
    readonly log: string[] = [];
    session: SessionState = 'alive';
    asked = 0;
    readonly live: LiveEvents;

    constructor(options: Partial<LiveEventsOptions> = {}) {
        this.live = new LiveEvents({
            url: '/api/v2/notifications/stream',
            names: ['notification'],
            onEvent: (name, data, id) => this.log.push(`${name} ${id} ${JSON.stringify(data)}`),
            onGap: () => this.log.push('gap'),
            onSessionEnded: (reason) => this.log.push(`ended ${reason}`),
            onState: (state) => this.log.push(state),
            session: async () => {
                this.asked += 1;
                return this.session;
            },
            eventSource: (url) => {
                const source = new FakeSource(url);
                this.sources.push(source);
                return source as unknown as EventSource;
            },
            timers: this.timers,
            random: () => 1,
            ...options,
        });
    }

    get source(): FakeSource {
        const source = this.sources.at(-1);
        assert.ok(source);
        return source;
    }

    said(): string[] {
        return this.log.splice(0);
    }
}

test('a page connects from the id that it was loaded at and gets events with their data', () => {
    const page = new Page({ lastEventId: '17' });
    assert.equal(page.source.url, '/api/v2/notifications/stream?lastEventId=17');
    page.source.answers();
    page.source.sends('notification', { unreadNotifications: 3 }, '18');
    assert.deepEqual(page.said(), ['connecting', 'open', 'notification 18 {"unreadNotifications":3}']);
});

test('a page without an id connects without one', () => {
    assert.equal(new Page().source.url, '/api/v2/notifications/stream');
    assert.equal(new Page({ url: '/stream?a=b', lastEventId: '1' }).source.url, '/stream?a=b&lastEventId=1');
});

test('while the network is gone the browser comes back by itself', () => {
    const page = new Page();
    page.source.answers();
    page.source.loses();
    page.source.loses();
    page.source.answers();
    assert.deepEqual(page.said(), ['connecting', 'open', 'connecting', 'connecting', 'open']);
    assert.equal(page.sources.length, 1);
    assert.equal(page.asked, 0);
});

test('after a refusal a new source is made with growing waits, from the last id', async () => {
    const page = new Page({ lastEventId: '17', backOffMs: { least: 100, most: 500 } });
    page.source.answers();
    page.source.sends('notification', {}, '20');
    const waits = [];
    for (let refusals = 0; refusals < 5; refusals += 1) {
        page.source.isRefused();
        await settled();
        waits.push(page.timers.pass());
        assert.equal(page.source.url, '/api/v2/notifications/stream?lastEventId=20');
    }
    assert.deepEqual(waits, [100, 200, 400, 500, 500]);
    page.source.answers();
    page.source.isRefused();
    await settled();
    assert.equal(page.timers.pass(), 100, 'an answer begins anew');
    assert.equal(page.asked, 6);
});

test('waits differ from client to client', async () => {
    const page = new Page({ backOffMs: { least: 100, most: 500 }, random: () => 0 });
    page.source.isRefused();
    await settled();
    assert.equal(page.timers.pass(), 50);
});

test('a service that cannot say whether the session lasts is asked again later', async () => {
    const page = new Page();
    page.session = 'unknown';
    page.source.isRefused();
    await settled();
    page.timers.pass();
    assert.equal(page.sources.length, 2);
});

test('the end of the session closes the stream for good and says why', () => {
    const page = new Page();
    page.source.answers();
    const source = page.source;
    source.sends('session-ended', { reason: 'signed-out' });
    assert.equal(source.readyState, 2);
    assert.deepEqual(page.said(), ['connecting', 'open', 'ended', 'ended signed-out']);
    source.sends('notification', {}, '9');
    source.loses();
    assert.deepEqual(page.said(), [], 'nothing more is heard of it');
    assert.equal(page.timers.waiting.length, 0);
});

test('who comes back after the end of the session (204) stops without a reason', async () => {
    const page = new Page();
    page.session = 'ended';
    page.source.isRefused();
    await settled();
    assert.deepEqual(page.said(), ['connecting', 'waiting', 'ended', 'ended unknown']);
    assert.equal(page.sources.length, 1);
});

test('a gap is told and the stream goes on from behind it', async () => {
    const page = new Page({ lastEventId: '5' });
    page.source.answers();
    page.source.sends('gap', { resumesAfter: 900 }, '900');
    page.source.sends('notification', {}, '901');
    assert.deepEqual(page.said(), ['connecting', 'open', 'gap', 'notification 901 {}']);
    page.source.sends('gap', { resumesAfter: 950 }, '950');
    page.source.isRefused();
    await settled();
    page.timers.pass();
    assert.equal(page.source.url, '/api/v2/notifications/stream?lastEventId=950');
});

test('a limit is a state, and the browser comes back when it was told to', () => {
    const page = new Page();
    page.source.answers();
    page.source.sends('try-later', { reason: 'too-many-streams' });
    page.source.loses();
    assert.deepEqual(page.said(), ['connecting', 'open', 'waiting', 'connecting']);
    assert.equal(page.sources.length, 1);
});

test('what was closed calls back no more, whatever was under way', async () => {
    const page = new Page();
    page.source.isRefused();
    page.live.close();
    await settled();
    assert.equal(page.timers.waiting.length, 0);
    const waiting = new Page();
    waiting.source.isRefused();
    await settled();
    waiting.live.close();
    assert.equal(waiting.timers.waiting.length, 0);
    assert.equal(waiting.said().at(-1), 'closed');
    waiting.live.close();
    assert.deepEqual(waiting.said(), []);
});

test('data that is not JSON arrives as it is', () => {
    const page = new Page();
    page.source.answers();
    page.source.dispatchEvent(new MessageEvent('notification', { data: 'plain', lastEventId: '1' }));
    assert.equal(page.said().at(-1), 'notification 1 "plain"');
});
