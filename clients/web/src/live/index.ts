export { LiveEvents, type LiveEventsOptions, type LiveState, type SessionState } from './live-events.js';
export { askForSession } from './session.js';
export type { Timers } from './timers.js';
