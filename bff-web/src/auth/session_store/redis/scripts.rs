//! The scripts that change sessions. Each looks first whether the session has ended, and runs as a whole or not at all.
//!
//! `KEYS[1]` is the session and `ARGV[1]` the present time in milliseconds, by the replica's clock, as are the ends of
//! sessions. The ends of leases are by the clock of Redis: a lease is about what replicas do at the same moment, so it must
//! not depend on whose clock is right.

use std::sync::LazyLock;

use redis::Script;

/// Gives -1 unless the session lives.
const LIVE: &str = "
local ends = redis.call('HMGET', KEYS[1], 'idle_end', 'absolute_end')
if not ends[1] or not ends[2] then return GONE end
local absolute_end = tonumber(ends[2])
if tonumber(ARGV[1]) >= math.min(tonumber(ends[1]), absolute_end) then return GONE end
";

/// The time of Redis in milliseconds, and whether the lease with the fence `ARGV[2]` is held.
const HELD: &str = "
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local lease = redis.call('HMGET', KEYS[1], 'fence', 'lease_end')
local held = lease[1] == ARGV[2] and lease[2] and now < tonumber(lease[2])
";

const CREATE: &str = "
local now, idle, absolute, slack = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local absolute_end = string.format('%.0f', now + absolute)
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'idle_end', string.format('%.0f', now + idle), 'absolute_end', absolute_end)
for i = 6, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('PEXPIRE', KEYS[1], math.min(idle, absolute) + slack)
for i = 2, #KEYS do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', ARGV[1])
  redis.call('ZADD', KEYS[i], absolute_end, ARGV[5])
  redis.call('PEXPIRE', KEYS[i], absolute + slack)
end
return 1
";

const WRITE: &str = "
for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
return 1
";

const PROLONG: &str = "
local now, idle = tonumber(ARGV[1]), tonumber(ARGV[2])
redis.call('HSET', KEYS[1], 'idle_end', string.format('%.0f', now + idle))
redis.call('PEXPIRE', KEYS[1], math.min(idle, absolute_end - now) + tonumber(ARGV[3]))
return 1
";

/// What has ended is removed all the same, but nobody is told twice.
const DELETE: &str = "
local ends = redis.call('HMGET', KEYS[1], 'idle_end', 'absolute_end')
redis.call('DEL', KEYS[1])
if not ends[1] or not ends[2] then return 0 end
redis.call('PUBLISH', ARGV[2], ARGV[3])
if tonumber(ARGV[1]) >= math.min(tonumber(ends[1]), tonumber(ends[2])) then return 0 end
return 1
";

const LEASE: &str = "
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local lease = redis.call('HMGET', KEYS[1], 'lease_end', 'intent')
if lease[1] and now < tonumber(lease[1]) then return {0, 0, {}} end
local fence = redis.call('HINCRBY', KEYS[1], 'fence', 1)
redis.call('HSET', KEYS[1], 'lease_end', string.format('%.0f', now + tonumber(ARGV[2])))
local unsettled = 0
if lease[2] then unsettled = 1 end
return {fence, unsettled, redis.call('HGETALL', KEYS[1])}
";

const RENEW: &str = "
if not held then return 0 end
redis.call('HSET', KEYS[1], 'lease_end', string.format('%.0f', now + tonumber(ARGV[3])))
return 1
";

const INTEND: &str = "
if not held then return 0 end
redis.call('HSET', KEYS[1], 'intent', ARGV[2])
return 1
";

/// A lease that has run out without another one after it is as good as held: nobody else has sent anything.
const SETTLE: &str = "
if redis.call('HGET', KEYS[1], 'fence') ~= ARGV[2] then return 0 end
for i = 3, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('HDEL', KEYS[1], 'intent', 'lease_end')
return 1
";

/// The scripts of all sessions.
pub(super) struct Scripts {
    pub(super) create: Script,
    pub(super) write: Script,
    pub(super) prolong: Script,
    pub(super) delete: Script,
    pub(super) lease: Script,
    pub(super) renew: Script,
    pub(super) intend: Script,
    pub(super) settle: Script,
}

impl Scripts {
    /// Puts them together once in a process.
    pub(super) fn get() -> &'static Self {
        static SCRIPTS: LazyLock<Scripts> = LazyLock::new(|| {
            let live = LIVE.replace("GONE", "-1");
            let guarded = |parts: &[&str]| Script::new(&format!("{live}{}", parts.concat()));
            Scripts {
                create: Script::new(CREATE),
                write: guarded(&[WRITE]),
                prolong: guarded(&[PROLONG]),
                delete: Script::new(DELETE),
                lease: Script::new(&format!("{}{LEASE}", LIVE.replace("GONE", "{-1, 0, {}}"))),
                renew: guarded(&[HELD, RENEW]),
                intend: guarded(&[HELD, INTEND]),
                settle: guarded(&[SETTLE]),
            }
        });
        &SCRIPTS
    }
}
