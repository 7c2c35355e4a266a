/** A page with the client's own live events, as an application has them. What it hears it keeps for the test. */
import { LiveEvents } from "../../src/live/index.js";
import type { Heard } from "../src/heard.js";

globalThis.listen = (lastEventId) => {
  const heard: Heard = { events: [], states: [], gaps: 0 };
  globalThis.heard = heard;
  new LiveEvents({
    url: "/api/v2/notifications/stream",
    lastEventId,
    names: ["notification"],
    onEvent: (_, data, id) => heard.events.push([id, (data as { title: string }).title]),
    onGap: () => (heard.gaps += 1),
    onSessionEnded: (reason) => (heard.endedFor = reason),
    onState: (state) => heard.states.push(state),
    backOffMs: { least: 100, most: 400 },
  });
};
