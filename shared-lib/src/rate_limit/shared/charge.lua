-- Charges one call in every rate and quota of its rules, or in none where one refuses.
--
-- KEYS[1]    a hash of the caller: for each rate the moment at which nothing counts any more (GCRA's theoretical arrival
--            time), in microseconds
-- KEYS[2..]  the counter of each quota
-- ARGV       the moment in microseconds, or nothing for this server's own time; what the call costs in rates; what it
--            costs in quotas; the number of rates;
--            for each rate: its name, how long one unit takes to come back (us), units at once, the window (us), and
--            whether it refuses (1) or only counts (0);
--            for each quota: its units, units that are known to be used, how long its counter is kept (ms), and whether
--            it refuses
-- Gives, in one list, whether the call is admitted; for each rate how long until nothing counts (us) and how long to wait
-- (us; -1: no refusal); for each quota the units used and whether it refused.
--
-- Numbers are written with '%.0f': Lua's own form of a moment in microseconds has lost digits.

local function text(number) return string.format('%.0f', number) end

local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end
local cost, quota_cost, rates = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local admitted = true
local found, writes, longest, counters = {}, {}, 0, {}
local at = 5

for _ = 1, rates do
  local name, refill, at_once = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local window, refuses = tonumber(ARGV[at + 3]), ARGV[at + 4] == '1'
  at = at + 5
  local before = math.max(tonumber(redis.call('HGET', KEYS[1], name) or 0), now)
  local after, wait = before + cost * refill, -1
  if cost > at_once then
    wait = window
  elseif after - now > at_once * refill then
    wait = after - now - at_once * refill
  end
  if wait < 0 then
    writes[#writes + 1] = name
    writes[#writes + 1] = text(after)
    longest = math.max(longest, after - now)
  elseif refuses then
    admitted = false
  end
  found[#found + 1] = { before - now, wait < 0 and after - now or before - now, wait }
end

for quota = 2, #KEYS do
  local units, known = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  local keep, refuses = ARGV[at + 2], ARGV[at + 3] == '1'
  at = at + 4
  local used = math.max(tonumber(redis.call('GET', KEYS[quota]) or 0), known)
  local refused = quota_cost > 0 and used + quota_cost > units
  if refused and refuses then admitted = false end
  counters[#counters + 1] = { KEYS[quota], used, keep, refused and 1 or 0 }
end

if admitted then
  if #writes > 0 then
    redis.call('HSET', KEYS[1], unpack(writes))
    -- All that is older than the longest stamp says the same as nothing.
    local left = math.max(redis.call('PTTL', KEYS[1]), math.ceil(longest / 1000) + 1)
    redis.call('PEXPIRE', KEYS[1], text(left))
  end
  for _, counter in ipairs(counters) do
    redis.call('SET', counter[1], text(counter[2] + quota_cost), 'PX', counter[3])
  end
end

local flat = { admitted and 1 or 0 }
for _, rate in ipairs(found) do
  flat[#flat + 1] = admitted and rate[2] or rate[1]
  flat[#flat + 1] = rate[3]
end
for _, counter in ipairs(counters) do
  flat[#flat + 1] = admitted and counter[2] + quota_cost or counter[2]
  flat[#flat + 1] = counter[4]
end
return flat
