/** What the wrapper needs of a clock; tests move their own. */
export interface Timers {
    /** Calls back once, after so many milliseconds, and gives what cancels that. */
    after(milliseconds: number, callback: () => void): () => void;
}

export const systemTimers: Timers = {
    after(milliseconds, callback) {
        const timer = setTimeout(callback, milliseconds);
        return () => clearTimeout(timer);
    },
};
