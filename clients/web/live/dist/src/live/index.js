export { LiveEvents } from './live-events.js';
export { askForSession } from './session.js';
