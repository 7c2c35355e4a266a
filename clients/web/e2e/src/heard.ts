/** What the page with the client's live events (`page/main.ts`) has heard. */
export interface Heard {
  /** Of each notification, its id and its title. */
  events: [string, string][];
  /** Where the stream stood, one after the other. */
  states: string[];
  gaps: number;
  endedFor?: string;
}

declare global {
  // eslint-disable-next-line no-var
  var heard: Heard;
  // eslint-disable-next-line no-var
  var listen: (lastEventId: string) => void;
}
