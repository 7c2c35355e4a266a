/** Asks the service whether somebody is signed in. Asking does not prolong the session. */
export async function askForSession() {
    try {
        const answer = await fetch('/api/auth/session', { headers: { accept: 'application/json' }, cache: 'no-store' });
        if (answer.ok) {
            return 'alive';
        }
        return answer.status === 401 ? 'ended' : 'unknown';
    }
    catch {
        return 'unknown';
    }
}
