/** What is known of the session. */
export type SessionState = 'alive' | 'ended' | 'unknown';

/** Asks the service whether somebody is signed in. Asking does not prolong the session. */
export async function askForSession(): Promise<SessionState> {
    try {
        const answer = await fetch('/api/auth/session', { headers: { accept: 'application/json' }, cache: 'no-store' });
        if (answer.ok) {
            return 'alive';
        }
        return answer.status === 401 ? 'ended' : 'unknown';
    } catch {
        return 'unknown';
    }
}
